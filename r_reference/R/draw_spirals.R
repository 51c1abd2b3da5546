#' Two spirals: points `x`, their `class` (1 or 2), and `ids_train`, 70 % of the rows in the order
#' in which they were sampled.
draw_spirals <- function(n = 1000, cycles = 1.5, sd = 0.05, seed = 123) {
  with_r_seed(seed, {
    spirals <- mlbench::mlbench.spirals(n, cycles = cycles, sd = sd)
    list(
      x = spirals$x, class = as.integer(spirals$classes), ids_train = sample(n, round(0.7 * n))
    )
  })
}
