#' |activation| after each ReLU of `network`, a sequence of layers, for the inputs `x`: a data frame
#' of layer, mean, sd (of n - 1) and zero, the share of activations that are 0.
activation_statistics <- function(network, x) {
  rows <- list()
  with_no_grad(for (layer in network$children) {
    x <- layer(x)
    if (inherits(layer, "nn_relu")) {
      size <- x$abs()$to(dtype = torch_double())
      rows[[length(rows) + 1]] <- data.frame(
        layer = length(rows) + 1, mean = size$mean()$item(), sd = size$std()$item(),
        zero = (size == 0)$to(dtype = torch_double())$mean()$item()
      )
    }
  })
  do.call(rbind, rows)
}
