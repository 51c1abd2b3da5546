#' The course's data, the inputs divided by their largest values over all rows.
scaled_data <- function() {
  drawn <- with_r_seed(123, {
    friedman <- mlbench::mlbench.friedman3(n = 1000, sd = 0.1)
    list(x = friedman$x, y = friedman$y, ids_train = sample(1000, 700))
  })
  largest <- apply(drawn$x, 2, max)
  split_data(sweep(drawn$x, 2, largest, "/"), drawn$y, drawn$ids_train)
}
