#' Draws of base R, one stream a seed: for each size in turn uniform and normal numbers, and samples. One row a number,
#' counted from 0 within its call.
draw_random_numbers <- function(seeds, sizes) {
  draw_calls(seeds, sizes, list(
    runif = function(n) runif(n, -1, 3),
    rnorm = function(n) rnorm(n, 3, 2),
    sample = function(n) sample(n),
    sample_with_replacement = function(n) sample(n, n, replace = TRUE)
  ))
}

#' The same of mlbench's data: inputs, column by column, then targets, or the classes by their names.
draw_mlbench_data <- function(seeds, sizes) {
  numbers <- function(problem) c(problem$x, problem$y, as.integer(as.character(problem$classes)))
  calls <- list(
    friedman1 = mlbench::mlbench.friedman1,
    friedman2 = mlbench::mlbench.friedman2,
    friedman3 = mlbench::mlbench.friedman3,
    peak = mlbench::mlbench.peak,
    circle = mlbench::mlbench.circle,
    xor = mlbench::mlbench.xor,
    spirals = function(n) mlbench::mlbench.spirals(n + 1, 1.5, 0.05),
    smiley = mlbench::mlbench.smiley,
    cassini = mlbench::mlbench.cassini,
    cuboids = mlbench::mlbench.cuboids,
    shapes = mlbench::mlbench.shapes,
    normals_2d = function(n) mlbench::`mlbench.2dnormals`(n, 3),
    ringnorm = function(n) mlbench::mlbench.ringnorm(n + 1),
    twonorm = function(n) mlbench::mlbench.twonorm(n + 1),
    threenorm = function(n) mlbench::mlbench.threenorm(n + 1),
    waveform = mlbench::mlbench.waveform,
    hypercube = function(n) mlbench::mlbench.hypercube(n + 4),
    simplex = function(n) mlbench::mlbench.simplex(n + 4)
  )
  draw_calls(seeds, sizes, lapply(calls, function(generate) function(n) numbers(generate(n))))
}

draw_calls <- function(seeds, sizes, calls) {
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
