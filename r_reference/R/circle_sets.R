#' Points of mlbench's circle, `n` to train on and then, from the same stream of random numbers,
#' `n_valid` to validate with: of each set the inputs `x` and the classes `k`, counted from 1.
circle_sets <- function(n = 100, n_valid = 1000) {
  drawn <- with_r_seed(123, list(
    train = mlbench::mlbench.circle(n, d = 2), valid = mlbench::mlbench.circle(n_valid, d = 2)
  ))
  lapply(drawn, function(set) list(
    x = torch_tensor(set$x, dtype = torch_float())$contiguous(),
    k = torch_tensor(as.integer(set$classes), dtype = torch_long())
  ))
}
