# Central differences with a step of 1e-6 are wrong by about 1e-10 in these functions of order one.
DIFFERENCE_STEP <- 1e-6
DIFFERENCE_ERROR <- 1e-8

#' The derivatives of `loss` by each element of `tensor`, by central differences.
finite_differences <- function(loss, tensor) {
  start <- as_array(tensor)
  at <- function(i, step) {
    moved <- start
    moved[i] <- moved[i] + step
    with_no_grad(internal$set_value(tensor, moved))
    with_no_grad(loss())$item()
  }
  slopes <- vapply(seq_along(start), function(i) {
    (at(i, DIFFERENCE_STEP) - at(i, -DIFFERENCE_STEP)) / (2 * DIFFERENCE_STEP)
  }, numeric(1))
  with_no_grad(internal$set_value(tensor, start))
  slopes
}

expect_gradients <- function(loss, ...) {
  loss()$backward()
  for (tensor in list(...)) {
    expect_equal(dim(as_array(tensor$grad)), dim(as_array(tensor)))
    error <- as.vector(as_array(tensor$grad)) - finite_differences(loss, tensor)
    expect_lt(max(abs(error)), DIFFERENCE_ERROR)
  }
}

#' A followed matrix of numbers between 0.5 and 1.5, away from all kinks.
uniform_matrix <- function(rows, columns) {
  torch_tensor(matrix(runif(rows * columns) + 0.5, rows), requires_grad = TRUE)
}

total <- function(x) nnf_l1_loss(x, torch_tensor(0 * as_array(x)))

test_that("operators between tensors have the gradients of finite differences", {
  set.seed(1)
  a <- uniform_matrix(3, 2)
  b <- uniform_matrix(3, 2)
  scalar <- torch_tensor(0.7, requires_grad = TRUE)
  for (operator in list(`+`, `-`, `*`, `/`, `^`)) {
    for (right in list(b, scalar, 1.3)) {
      for (side in list(a, right)) if (inherits(side, "torch_tensor") && !is.null(side$grad)) {
        side$grad$zero_()
      }
      followed <- Filter(function(x) inherits(x, "torch_tensor"), list(a, right))
      do.call(expect_gradients, c(list(function() total(operator(a, right)^2)), followed))
    }
  }
})

test_that("a number on the left of a tensor has the gradient of finite differences", {
  set.seed(2)
  for (operator in list(`+`, `-`, `*`, `/`, `^`)) {
    a <- uniform_matrix(2, 2)
    expect_gradients(function() total(operator(1.3, a)^2), a)
  }
})

test_that("losses, sqrt, ReLU and linear layers have the gradients of finite differences", {
  set.seed(3)
  for (loss in list(nnf_mse_loss, nnf_l1_loss, nnf_smooth_l1_loss)) {
    prediction <- torch_tensor(matrix(c(-2.5, -0.4, 0.3, 1.7)), requires_grad = TRUE)
    target <- torch_tensor(matrix(c(0.1, 0.2, -0.3, -0.4)), requires_grad = TRUE)
    expect_gradients(function() sqrt(loss(prediction, target)), prediction, target)
  }
  x <- torch_tensor(matrix(rnorm(12), 4), requires_grad = TRUE)
  layer <- nn_linear(3, 2)
  loss <- function() total(nnf_relu(layer(x))^2)
  expect_gradients(loss, x, layer$weight, layer$bias)
})

test_that("the cross-entropy has the gradient of finite differences, far from 0, too", {
  scores <- torch_tensor(matrix(c(-1, 2, 0.5, 0.3, 400, 401), 2), requires_grad = TRUE)
  classes <- torch_tensor(c(3L, 1L), dtype = torch_long())
  loss <- function() nnf_cross_entropy(scores, classes)
  shares <- exp(-401 + c(2, 0.3, 401)) / sum(exp(-401 + c(2, 0.3, 401)))
  expect_equal(loss()$item(), (0 + 401 - 2) / 2, tolerance = 1e-15)
  expect_gradients(loss, scores)
})

test_that("the gradients of the course network are those of finite differences", {
  set.seed(4)
  network <- seeded_mlp(in_features = 2)
  x <- torch_tensor(matrix(rnorm(10), 5))
  y <- torch_tensor(matrix(rnorm(5)))
  do.call(
    expect_gradients,
    c(list(function() nnf_mse_loss(network(x), y)), unname(network$parameters[-3]))
  )
})

test_that("unsqueeze makes a vector a column or a row, with the gradient of finite differences", {
  numbers <- c(0.4, -1.2, 2.5)
  shapes <- list(c(1L, 3L), c(3L, 1L))
  for (dim in 1:2) {
    x <- torch_tensor(numbers, requires_grad = TRUE)
    expect_identical(as_array(x$unsqueeze(dim)), array(numbers, shapes[[dim]]))
    layer <- nn_linear(shapes[[dim]][2], 2)
    expect_gradients(function() total(layer((x * x)$unsqueeze(dim))^2), x, layer$weight)
  }
  x <- torch_tensor(numbers)
  expect_false(x$unsqueeze(2)$requires_grad)
  for (dim in list(0, 3, -1, 1.5, NA, NULL, 1:2)) {
    expect_error(x$unsqueeze(dim), "`dim` must be 1 or 2 for a vector; got")
  }
  expect_error(x$unsqueeze(2)$unsqueeze(1), "must have a vector; got 3 x 1")
})

test_that("reshape goes along the rows, with the gradient of finite differences", {
  m <- torch_tensor(matrix(c(0.4, -1.2, 2.5, 3, -0.7, 1.1), 2), requires_grad = TRUE)
  expect_identical(as_array(m$reshape(6)), c(0.4, 2.5, -0.7, -1.2, 3, 1.1))
  expect_identical(as_array(m$reshape(c(3, 2))), matrix(c(0.4, -0.7, 3, 2.5, -1.2, 1.1), 3))
  layer <- nn_linear(2, 2)
  expect_gradients(function() total(layer((m * m)$reshape(c(3, 2)))^2), m, layer$weight)
  x <- torch_tensor(c(1, 2, 3, 4))
  expect_identical(as_array(x$reshape(c(2, 2))), matrix(c(1, 3, 2, 4), 2))
  expect_error(x$reshape(c(3, 2)), "must have the 4 elements of the tensor; got c\\(3, 2\\)")
})

test_that("rows and columns of a matrix, elements of a vector", {
  m <- torch_tensor(matrix(as.double(1:6), 2))
  expect_identical(as_array(m[2:1, ]), matrix(c(2, 1, 4, 3, 6, 5), 2))
  expect_identical(as_array(m[1:2, 2:3]), matrix(c(3, 4, 5, 6), 2))
  expect_identical(m[2, 3]$item(), 6)
  expect_identical(as_array(torch_tensor(c(1, 2, 3))[2:3]), c(2, 3))
  expect_identical(as_array(torch_zeros(2, 3)), matrix(0, 2, 3))
})

test_that("a tensor used twice collects both gradients, and gradients add up until zeroed", {
  x <- torch_tensor(3, requires_grad = TRUE)
  (x * x + x)$backward()
  expect_identical(x$grad$item(), 7)
  (x * 2)$backward()
  expect_identical(x$grad$item(), 9)
  x$grad$mul_(Inf)
  x$grad$zero_()
  expect_identical(x$grad$item(), 0)
})

test_that("ReLU keeps NaN and cuts -Inf to zero", {
  expect_identical(as_array(nnf_relu(torch_tensor(c(-Inf, -1, 2, NaN)))), c(0, 0, 2, NaN))
})

test_that("with_no_grad follows nothing and ends with its code, also after an error", {
  x <- torch_tensor(2, requires_grad = TRUE)
  expect_false(with_no_grad(x * 2)$requires_grad)
  expect_error(with_no_grad(stop("inside")), "inside")
  expect_true((x * 2)$requires_grad)
})

test_that("misuse is refused", {
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  expect_error(x$add_(1), "inside with_no_grad")
  expect_error((x * 2)$backward(), "single number")
  expect_error(torch_tensor(1)$backward(), "requires a gradient")
  expect_error(x * torch_tensor(c(1, 2, 3)), "same shape; got 2 and 3")
  expect_error(nnf_mse_loss(x, torch_tensor(1)), "same shape; got 2 and 1")
  expect_error(x > 1, "must be one of")
  expect_error(-x, "must be one of")
  expect_error(x$cuda(), "must be one of grad, .*; got cuda")
})
