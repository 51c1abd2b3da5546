#' Draws of base R and mlbench, one stream a seed: for each size in turn uniform and normal numbers,
#' samples and the benchmark data. One row a number, counted from 0 within its call.
draw_random_numbers <- function(seeds, sizes) {
  calls <- list(
    runif = function(n) runif(n, -1, 3),
    rnorm = function(n) rnorm(n, 3, 2),
    sample = function(n) sample(n),
    sample_with_replacement = function(n) sample(n, n, replace = TRUE),
    friedman1 = function(n) unlist(mlbench::mlbench.friedman1(n)),
    friedman2 = function(n) unlist(mlbench::mlbench.friedman2(n)),
    friedman3 = function(n) unlist(mlbench::mlbench.friedman3(n)),
    spirals = function(n) unlist(mlbench::mlbench.spirals(n + 1, 1.5, 0.05))
  )
  rows <- lapply(seeds, function(seed) {
    draws <- with_r_seed(seed, lapply(sizes, function(n) lapply(calls, function(call) call(n))))
    draws <- unlist(draws, recursive = FALSE)
    data.frame(
      call = rep(names(draws), lengths(draws)), seed = seed,
      size = rep(rep(sizes, each = length(calls)), lengths(draws)),
      index = unlist(lapply(draws, seq_along)) - 1, value = unlist(draws, use.names = FALSE)
    )
  })
  do.call(rbind, rows)
}
