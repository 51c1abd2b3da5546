#' A learning-rate range test: trains `network` in place by `opt` for `steps` batches of `dl_train`, in
#' as many passes as are needed, with rates that rise by an equal factor from `start` to `start`
#' times `ratio`. Returns step (from 0), lr, and the loss before the step; a loss that is not finite is
#' the last.
range_test <- function(network, opt, dl_train, start, ratio, steps) {
  rows <- list()
  batches <- dataloader_make_iter(dl_train)
  for (step in seq_len(steps) - 1) {
    lr <- start * ratio^(step / (steps - 1))
    opt$param_groups[[1]]$lr <- lr
    batch <- dataloader_next(batches, completed = NULL)
    if (is.null(batch)) {
      batches <- dataloader_make_iter(dl_train)
      batch <- dataloader_next(batches)
    }
    opt$zero_grad()
    loss <- nnf_mse_loss(network(batch[[1]]), batch[[2]])
    loss$backward()
    rows[[step + 1]] <- data.frame(step = step, lr = lr, loss = loss$item())
    if (!is.finite(loss$item())) break
    opt$step()
  }
  do.call(rbind, rows)
}
