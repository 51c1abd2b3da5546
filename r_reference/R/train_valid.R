#' Trains `network` in place with AdamW, whose settings are in `...`. Returns the epochs and the
#' validation loss after each; as in the exercise, no training loss.
train_valid <- function(network, ds_train, ds_valid, epochs, batch_size, ...) {
  opt <- optim_ignite_adamw(network$parameters, ...)
  dl_train <- dataloader(ds_train, batch_size = batch_size)
  dl_valid <- dataloader(ds_valid, batch_size = batch_size)
  valid_loss <- vapply(seq_len(epochs), function(epoch) {
    train_loop(network, dl_train, opt)
    valid_loop(network, dl_valid)
  }, numeric(1))
  data.frame(epoch = seq_len(epochs), valid_loss = valid_loss)
}
