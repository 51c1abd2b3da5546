# Doubles against sums that R forms in long double: a few units in the last place.
DOUBLE <- 1e-14

toy <- recorded("toy_xy.csv")

# The losses of a vector of differences.
BY_HAND <- list(
  mse = function(d) mean(d^2),
  l1 = function(d) mean(abs(d)),
  smooth_l1 = function(d) mean(ifelse(abs(d) < 1, d^2 / 2, abs(d) - 1 / 2)),
  huber = function(d) mean(ifelse(abs(d) < 1, d^2 / 2, abs(d) - 1 / 2))
)

test_that("descend returns the start, then every step, with the loss at each point", {
  for (loss in names(BY_HAND)) {
    path <- descend(loss, toy$x, toy$y, epochs = 7, start = c(2, -1), momentum = 0.9)
    expect_identical(names(path), c("epoch", "weight", "bias", "loss"))
    expect_identical(path$epoch, 0:7)
    expect_identical(c(path$weight[1], path$bias[1]), c(2, -1))
    expected <- mapply(
      function(w, b) BY_HAND[[loss]](w * toy$x + b - toy$y), path$weight, path$bias
    )
    expect_lt(relative(path$loss, expected), DOUBLE)
  }
})

test_that("descend follows the recorded float32 run from its defaults, and ends at its line", {
  rows <- recorded("sgd_toy.csv")
  rows <- rows[rows$loss_fn == "mse" & rows$setting == "plain", ]
  path <- descend(x = toy$x, y = toy$y)
  expect_identical(path$epoch, rows$epoch)
  expect_equal(path$weight, rows$weight, tolerance = 1e-6)
  expect_equal(path$bias, rows$bias, tolerance = 1e-6)
  expect_equal(path$loss[-101], rows$loss[-101], tolerance = 1e-6)
  fit <- stats::lm(y ~ x, toy)
  long <- descend(x = toy$x, y = toy$y, epochs = 400)[401, ]
  expect_equal(c(long$bias, long$weight), unname(stats::coef(fit)), tolerance = 1e-12)
  expect_equal(long$loss, mean(stats::resid(fit)^2), tolerance = 1e-12)
})

test_that("descend's steps are SGD's: plain, with decay, and with momentum", {
  slopes <- function(weight, bias) {
    error <- weight * toy$x + bias - toy$y
    c(mean(2 * error * toy$x), mean(2 * error))
  }
  points <- function(...) {
    path <- descend(x = toy$x, y = toy$y, lr = 0.2, epochs = 2, ...)
    unname(t(as.matrix(path[c("weight", "bias")])))
  }
  start <- c(6, -3)
  first <- slopes(6, -3)
  expect_equal(points()[, 2], start - 0.2 * first, tolerance = DOUBLE)
  decayed <- first + 2 * start
  expect_equal(points(weight_decay = 2)[, 2], start - 0.2 * decayed, tolerance = DOUBLE)
  path <- points(momentum = 0.9, dampening = 0.8)
  buffer <- 0.9 * first + (1 - 0.8) * slopes(path[1, 2], path[2, 2])
  expect_equal(path[, 3], path[, 2] - 0.2 * buffer, tolerance = DOUBLE)
})

test_that("descend takes no step for no epoch, and whole numbers for points", {
  expect_identical(nrow(descend(x = toy$x, y = toy$y, epochs = 0)), 1L)
  path <- descend(x = 1:3, y = c(2L, 4L, 6L), start = c(2, 0), epochs = 1)
  expect_identical(path$loss, c(0, 0))
})

test_that("loss_map has all biases of the lowest weight first, and the loss of each line", {
  for (loss in names(BY_HAND)) {
    map <- loss_map(loss, toy$x, toy$y, weight = c(-1, 2), bias = c(0.3, 4), n = 7)
    expect_identical(names(map), c("weight", "bias", "loss"))
    expect_identical(map$weight, rep(-1 + 3 * (0:6) / 6, each = 7))
    expect_identical(map$bias, rep(0.3 + (4 - 0.3) * (0:6) / 6, 7))
    expected <- mapply(
      function(w, b) BY_HAND[[loss]](w * toy$x + b - toy$y), map$weight, map$bias
    )
    expect_lt(relative(map$loss, expected), DOUBLE)
  }
})

test_that("loss_map's grid runs from -5 to 8 in 101 points, and takes whole numbers for points", {
  map <- loss_map(x = 1:2, y = 3:4)
  expect_identical(nrow(map), 10201L)
  expect_identical(range(map$weight), c(-5, 8))
  expect_identical(range(map$bias), c(-5, 8))
  expect_identical(unlist(map[1, ], use.names = FALSE), c(-5, -5, mean((-5 * 1:2 - 5 - 3:4)^2)))
})

test_that("a descent's losses are those of the map at its points", {
  for (loss in names(BY_HAND)) {
    end <- descend(loss, toy$x, toy$y, epochs = 3)[4, ]
    map <- loss_map(
      loss, toy$x, toy$y, weight = c(end$weight, 9), bias = c(end$bias, 9), n = 2
    )
    expect_equal(map$loss[1], end$loss, tolerance = DOUBLE)
  }
})

test_that("an unknown loss is an error that names those there are", {
  message <- '`loss` must be "mse", "l1", "smooth_l1" or "huber"; got "rmse". Choose one of them.'
  expect_error(descend("rmse", toy$x, toy$y), message, fixed = TRUE)
  expect_error(loss_map("rmse", toy$x, toy$y), message, fixed = TRUE)
})

test_that("the table of maps has a map for each loss", {
  table <- record_loss_map(toy, n = 3)
  expect_identical(table$loss_fn, rep(names(BY_HAND), each = 9))
  expect_identical(table$index, rep(as.double(0:8), 4))
  map <- loss_map("huber", toy$x, toy$y, n = 3)
  expect_identical(as.list(table[28:36, names(map)]), as.list(map))
})
