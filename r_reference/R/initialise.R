#' Draws the weight of every linear layer of `network` again, in the order of the layers, with
#' `fill`, a function that changes it in place; the biases become 0 unless `zero_bias` is FALSE.
initialise <- function(network, fill, zero_bias = TRUE) {
  for (layer in network$modules) {
    if (inherits(layer, "nn_linear")) {
      with_no_grad(fill(layer$weight))
      if (zero_bias) nn_init_zeros_(layer$bias)
    }
  }
  network
}
