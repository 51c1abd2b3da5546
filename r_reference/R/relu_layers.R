#' Linear layers of these widths, the input's first, with a ReLU after each but the last.
relu_layers <- function(widths) {
  layers <- list()
  for (i in seq_len(length(widths) - 1)) {
    if (i > 1) layers <- c(layers, nn_relu())
    layers <- c(layers, nn_linear(widths[i], widths[i + 1]))
  }
  do.call(nn_sequential, layers)
}
