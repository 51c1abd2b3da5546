#' The path of a line, y = weight x + bias, under `epochs` full-batch steps of SGD from `start`: a
#' data frame of epoch (0 is the start), weight, bias and the loss at that point. `...` are
#' momentum, dampening, weight_decay and nesterov.
descend <- function(loss = "mse", x, y, lr = 0.1, epochs = 100, start = c(6, -3), ...) {
  loss_fn <- switch(loss,
    mse = nnf_mse_loss,
    l1 = nnf_l1_loss,
    # R torch documents no Huber loss; with delta 1 it is the smooth L1 loss with beta 1.
    smooth_l1 = , huber = nnf_smooth_l1_loss,
    stop(
      '`loss` must be "mse", "l1", "smooth_l1" or "huber"; got "', loss, '". Choose one of them.'
    )
  )
  # Not `torch_tensor(matrix(x))`: its strides are (1, n), and BLAS then sums in another order.
  x <- torch_tensor(x, dtype = torch_float())$unsqueeze(2)
  y <- torch_tensor(y, dtype = torch_float())$unsqueeze(2)
  line <- nn_linear(1, 1)
  nn_init_constant_(line$weight, start[1])
  nn_init_constant_(line$bias, start[2])
  opt <- optim_ignite_sgd(line$parameters, lr = lr, ...)
  point <- function(value) {
    data.frame(weight = line$weight$item(), bias = line$bias$item(), loss = value$item())
  }
  before_steps <- lapply(seq_len(epochs), function(epoch) {
    opt$zero_grad()
    value <- loss_fn(line(x), y)
    before <- point(value)
    value$backward()
    opt$step()
    before
  })
  end <- point(with_no_grad(loss_fn(line(x), y)))
  cbind(epoch = 0:epochs, do.call(rbind, c(before_steps, list(end))))
}
