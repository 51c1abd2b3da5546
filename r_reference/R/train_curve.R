#' Trains `network` in place by `opt` for `epochs` passes over batches of 16 rows, and calls
#' `each_step` after each step. Returns the epochs and the validation loss after each.
train_curve <- function(network, opt, data, epochs, each_step = function() NULL) {
  dl_train <- dataloader(data$ds_train, batch_size = 16)
  dl_valid <- dataloader(data$ds_valid, batch_size = 16)
  valid_loss <- vapply(seq_len(epochs), function(epoch) {
    network$train()
    batches <- dataloader_make_iter(dl_train)
    while (!is.null(batch <- dataloader_next(batches, completed = NULL))) {
      opt$zero_grad()
      nnf_mse_loss(network(batch[[1]]), batch[[2]])$backward()
      opt$step()
      each_step()
    }
    mean_rmse(network, dl_valid)
  }, numeric(1))
  data.frame(epoch = seq_len(epochs), valid_loss = valid_loss)
}
