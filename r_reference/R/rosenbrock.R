#' The course's Rosenbrock function of two tensors or of two numeric vectors.
rosenbrock <- function(x, y) {
  (1 - x)^2 + 2 * (y - x^2)^2
}
