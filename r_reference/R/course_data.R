#' The course's data: mlbench's third Friedman problem, of which 70 % are for training. The data
#' are drawn first, then the split.
course_data <- function(n = 1000, sd = 0.1, seed = 123) {
  drawn <- with_r_seed(seed, {
    friedman <- mlbench::mlbench.friedman3(n = n, sd = sd)
    list(x = friedman$x, y = friedman$y, ids_train = sample(n, round(0.7 * n)))
  })
  split_data(drawn$x, drawn$y, drawn$ids_train)
}
