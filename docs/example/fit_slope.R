#' Fits y = slope * x by gradient descent from 0: the slope after each step, and the loss before it.
fit_slope <- function(x, y, lr, steps) {
  x <- torch_tensor(x, dtype = torch_double())
  y <- torch_tensor(y, dtype = torch_double())
  slope <- torch_tensor(0, dtype = torch_double(), requires_grad = TRUE)
  rows <- lapply(seq_len(steps), function(step) {
    loss <- nnf_mse_loss(x * slope, y)
    loss$backward()
    with_no_grad(slope$sub_(slope$grad * lr))
    slope$grad$zero_()
    data.frame(step = step, slope = slope$item(), loss = loss$item())
  })
  do.call(rbind, rows)
}
