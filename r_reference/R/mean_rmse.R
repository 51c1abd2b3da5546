#' The mean over batches of the RMSE of `network`. As `valid_loop`, but the roots are taken of R's
#' doubles, not of tensors.
mean_rmse <- function(network, dl_valid) {
  network$eval()
  mse <- numeric()
  batches <- dataloader_make_iter(dl_valid)
  while (!is.null(batch <- dataloader_next(batches, completed = NULL))) {
    mse <- c(mse, with_no_grad(nnf_mse_loss(network(batch[[1]]), batch[[2]]))$item())
  }
  mean(sqrt(mse))
}
