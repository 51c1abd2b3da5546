#' Trains `network` in place with AdamW under a one-cycle schedule, which is stepped after each step
#' of the optimiser and therefore has one step more. Returns the validation losses by epoch as
#' `curve`, and the rate and beta1 in force at each step as `rates`.
train_one_cycle <- function(network, data, epochs) {
  opt <- optim_ignite_adamw(network$parameters, lr = 0.01, weight_decay = 0.01)
  total_steps <- epochs * ceiling(length(data$ds_train) / 16) + 1
  scheduler <- lr_one_cycle(opt, max_lr = 0.05, total_steps = total_steps)
  rates <- list()
  curve <- train_curve(network, opt, data, epochs, each_step = function() {
    group <- opt$param_groups[[1]]
    row <- data.frame(step = length(rates), lr = group$lr, beta1 = group$betas[[1]])
    rates[[length(rates) + 1]] <<- row
    scheduler$step()
  })
  list(curve = curve, rates = do.call(rbind, rates))
}
