#' The exercise's validation RMSE of `network` on `dl_valid`.
valid_loop <- function(network, dl_valid) {
  network$eval()
  rmse <- numeric()
  batches <- dataloader_make_iter(dl_valid)
  while (!is.null(batch <- dataloader_next(batches, completed = NULL))) {
    mse <- with_no_grad(nnf_mse_loss(network(batch[[1]]), batch[[2]]))
    rmse <- c(rmse, sqrt(mse)$item())
  }
  # Fault kept: the unweighted mean of the batches' RMSE is not the RMSE of the set; it depends on
  # the batch size and counts a short last batch in full.
  mean(rmse)
}
