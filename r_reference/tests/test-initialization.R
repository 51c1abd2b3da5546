# The stand-in's normal draws, and R torch's float32 products, over 20 layers: 4.2e-6 was measured.
ACTIVATIONS <- 1e-5
# Doubles against 50 recorded float32 steps: 1.7e-5 was measured on xor, 1.3e-6 on the circle.
FLOAT32_50_STEPS <- 5e-5

labs <- function(file) read_table(file.path("../recorded_labs", file))

test_that("activations are the recorded ones", {
  rows <- labs("activations.csv")
  ours <- record_activations()
  expect_identical(names(ours), names(rows))
  expect_identical(ours$init, rows$init)
  expect_equal(ours$layer, rows$layer)
  for (column in c("mean", "sd", "zero")) {
    expect_lt(relative(ours[[column]], rows[[column]]), ACTIVATIONS, label = column)
  }
})

test_that("runs from several starts follow the recorded ones", {
  rows <- labs("init_runs.csv")
  rows <- rows[rows$step <= 50, ]
  ours <- record_init_runs(steps = 50)
  expect_identical(names(ours), names(rows))
  expect_identical(ours$init, rows$init)
  expect_equal(ours[["seed"]], rows[["seed"]])
  expect_equal(ours[["step"]], rows[["step"]])
  for (column in c("train_loss", "valid_loss")) {
    expect_lt(relative(ours[[column]], rows[[column]]), FLOAT32_50_STEPS, label = column)
  }
  expect_identical(ours$train_accuracy, rows$train_accuracy)
  expect_identical(ours$valid_accuracy, rows$valid_accuracy)
})

test_that("the largest of a row is found as torch finds it", {
  scores <- rbind(c(1, 3, 3), c(2, NaN, 9), c(-1, -2, -3))
  expect_identical(as.integer(torch_tensor(scores)$argmax(dim = 2)), c(2L, 2L, 1L))
  expect_error(torch_tensor(scores)$argmax(dim = 1), "a matrix and dim = 2; got dim = 1")
})

test_that("gradient norms are the recorded ones", {
  rows <- labs("gradient_norms.csv")
  rows <- rows[rows$step < 50, ]
  ours <- record_gradient_norms(50)
  expect_identical(names(ours), names(rows))
  for (column in c("init", "optimizer", "parameter")) {
    expect_identical(ours[[column]], rows[[column]])
  }
  expect_equal(ours$step, rows$step)
  for (column in c("loss", "gradient", "value")) {
    expect_lt(relative(ours[[column]], rows[[column]]), FLOAT32_50_STEPS, label = column)
  }
})

test_that("initialise fills weights in the order of the layers, and sets biases or leaves them", {
  filled <- list()
  fill <- function(weight) {
    filled[[length(filled) + 1]] <<- weight$shape
    nn_init_constant_(weight, 7)
  }
  made <- function() with_torch_manual_seed(seed = 1, relu_layers(c(3, 4, 2)))
  network <- initialise(nn_sequential(made(), nn_linear(2, 1)), fill)
  expect_identical(filled, list(c(4L, 3L), c(2L, 4L), c(1L, 2L)))
  values <- lapply(network$parameters, function(p) unique(as.vector(as_array(p))))
  expect_identical(names(values), c(
    "0.0.weight", "0.0.bias", "0.2.weight", "0.2.bias", "1.weight", "1.bias"
  ))
  expect_identical(unname(values), rep(list(7, 0), 3))
  kept <- initialise(made(), fill, zero_bias = FALSE)
  expect_identical(as_array(kept$parameters[[2]]), as_array(made()$parameters[[2]]))
  expect_identical(as_array(initialise(nn_linear(2, 2), fill)$bias), c(0, 0))
})

test_that("activation statistics are those of R's functions", {
  network <- nn_sequential(nn_linear(2, 2), nn_relu(), nn_linear(2, 1))
  with_no_grad({
    internal$set_value(network$children[[1]]$weight, rbind(c(1, 2), c(-1, 0)))
    internal$set_value(network$children[[1]]$bias, c(0.5, 0))
  })
  x <- rbind(c(1, 1), c(-2, 0.25), c(0, 3))
  active <- pmax(cbind(x[, 1] + 2 * x[, 2] + 0.5, -x[, 1]), 0)
  expect_equal(activation_statistics(network, torch_tensor(x)), data.frame(
    layer = 1, mean = mean(active), sd = sd(active), zero = mean(active == 0)
  ), tolerance = 1e-15)
})

test_that("gradient norms are taken before the step, and every so many steps", {
  layer <- nn_linear(1, 1)
  with_no_grad({
    internal$set_value(layer$weight, matrix(-3))
    internal$set_value(layer$bias, 0)
  })
  x <- torch_tensor(matrix(2))
  norms <- gradient_norms(layer, optim_ignite_sgd(layer$parameters, lr = 0.01), x, x, 3, every = 2)
  # Of (2 w + b - 2)^2 at w = -3, b = 0 the derivatives are 2 * -8 * 2 and 2 * -8.
  expect_identical(norms[1:2, ], data.frame(
    step = 0, loss = 64, parameter = c("weight", "bias"), gradient = c(32, 16), value = c(3, 0)
  ))
  expect_identical(norms$step, c(0, 0, 2, 2))
})

test_that("kaiming's nonlinearity sets the gain", {
  drawn <- function(...) as_array(with_torch_manual_seed(
    seed = 1, nn_init_kaiming_normal_(torch_empty(4, 5), ...)
  ))
  expect_equal(drawn(a = 2) * sqrt(5), drawn(a = 2, nonlinearity = "relu"))
  expect_identical(drawn(), drawn(nonlinearity = "relu"))
  expect_error(drawn(nonlinearity = "tanh"), '"leaky_relu" or "relu"; got "tanh"')
})

test_that("fewer than 16 normal draws come in pairs, of which one waits for the next call", {
  draws <- function(...) with_torch_manual_seed(
    seed = 123, unlist(lapply(c(...), function(n) internal$draw_normal(n)))
  )
  # torch.manual_seed(123); torch.randn(5) of PyTorch 2.13
  expected <- c(
    -0.11146711558103561, 0.12036294490098953, -0.3696345090866089, -0.2404179722070694,
    -1.1969243288040161
  )
  expect_identical(draws(5), expected)
  expect_identical(draws(1, 2, 2), expected)
  expect_identical(draws(3)[1:3], expected[1:3])
  with_torch_manual_seed(seed = 1, {
    first <- internal$draw_normal(1)
    with_torch_manual_seed(seed = 2, internal$draw_normal(1))
    expect_identical(c(first, internal$draw_normal(1)), with_torch_manual_seed(
      seed = 1, internal$draw_normal(2)
    ))
  })
})

test_that("a sigmoid has the gradient of finite differences", {
  x <- torch_tensor(c(-1.5, 0, 2), requires_grad = TRUE)
  nnf_mse_loss(internal$sigmoid(x), torch_tensor(c(0, 0, 0)))$backward()
  at <- function(v) mean((1 / (1 + exp(-v)))^2)
  slopes <- vapply(1:3, function(i) {
    step <- replace(numeric(3), i, 1e-6)
    (at(c(-1.5, 0, 2) + step) - at(c(-1.5, 0, 2) - step)) / 2e-6
  }, 0)
  expect_lt(max(abs(as_array(x$grad) - slopes)), 1e-9)
})

test_that("what has no gradient refuses a tensor that is followed", {
  x <- torch_tensor(c(3, 4), requires_grad = TRUE)
  expect_error(x$norm(), "has no gradient. Detach")
  expect_identical(x$detach()$norm()$item(), 5)
  expect_identical(with_no_grad(x$mean())$item(), 3.5)
})
