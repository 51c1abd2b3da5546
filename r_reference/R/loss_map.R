#' The loss of the lines y = weight x + bias on a grid of `n` weights and `n` biases, each from the
#' lowest to the highest of two: a data frame of weight, bias and loss, all biases of the lowest
#' weight first.
loss_map <- function(loss = "mse", x, y, weight = c(-5, 8), bias = c(-5, 8), n = 101) {
  loss_fn <- switch(loss,
    mse = nnf_mse_loss,
    l1 = nnf_l1_loss,
    # R torch documents no Huber loss; with delta 1 it is the smooth L1 loss with beta 1.
    smooth_l1 = , huber = nnf_smooth_l1_loss,
    stop(
      '`loss` must be "mse", "l1", "smooth_l1" or "huber"; got "', loss, '". Choose one of them.'
    )
  )
  x <- torch_tensor(x, dtype = torch_float())
  y <- torch_tensor(y, dtype = torch_float())
  grid <- function(range) range[1] + (range[2] - range[1]) * (seq_len(n) - 1) / (n - 1)
  lines <- data.frame(weight = rep(grid(weight), each = n), bias = rep(grid(bias), n))
  lines$loss <- vapply(seq_len(nrow(lines)), function(i) {
    loss_fn(x * lines$weight[i] + lines$bias[i], y)$item()
  }, numeric(1))
  lines
}
