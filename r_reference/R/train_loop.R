#' Trains `network` in place for one pass over `dl_train`.
train_loop <- function(network, dl_train, opt) {
  network$train()
  batches <- dataloader_make_iter(dl_train)
  while (!is.null(batch <- dataloader_next(batches, completed = NULL))) {
    opt$zero_grad()
    loss <- nnf_mse_loss(network(batch[[1]]), batch[[2]])
    loss$backward()
    opt$step()
  }
}
