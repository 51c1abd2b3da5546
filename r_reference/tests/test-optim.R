# Doubles against recorded float32 runs of the course network, 10 epochs: 2e-5 was measured. RMSprop
# divides by roots of tiny averages at its first steps, which magnifies rounding: 8e-4.
FLOAT32_10_EPOCHS <- 3e-5
FLOAT32_RMSPROP <- 2e-3
# The toy problem has two parameters of order one: 8e-6 was measured.
FLOAT32_TOY <- 2e-5

test_that("each optimiser follows its recorded float32 run", {
  rows <- recorded("optimizers.csv")
  ours <- record_optimizers()
  for (name in unique(rows$optimizer)) {
    budget <- if (startsWith(name, "rmsprop")) FLOAT32_RMSPROP else FLOAT32_10_EPOCHS
    run <- rows$optimizer == name
    expect_lt(relative(ours$valid_loss[run], rows$valid_loss[run]), budget, label = name)
  }
})

test_that("SGD follows the recorded toy runs in all settings and losses", {
  rows <- recorded("sgd_toy.csv")
  ours <- record_sgd_toy(recorded("toy_xy.csv"))
  for (column in c("weight", "bias", "loss")) {
    expect_identical(is.na(ours[[column]]), is.na(rows[[column]]))
    expect_lt(max(abs(ours[[column]] - rows[[column]]), na.rm = TRUE), FLOAT32_TOY)
  }
})

test_that("eps is added to the root of the average, so a gradient of its size halves the step", {
  first_step <- function(optimizer, gradient) {
    x <- torch_tensor(0, requires_grad = TRUE)
    opt <- optimizer(list(x))
    (x * gradient)$backward()
    opt$step()
    x$item()
  }
  expect_equal(first_step(optim_ignite_adamw, 1e-8), -1e-3 / 2, tolerance = 1e-12)
  expect_equal(first_step(optim_ignite_adam, 1e-8), -1e-3 / 2, tolerance = 1e-12)
  expect_equal(first_step(optim_ignite_adagrad, 1e-10), -1e-2 / 2, tolerance = 1e-12)
  # RMSprop's average is a hundredth of the squared gradient after one step.
  expect_equal(first_step(optim_ignite_rmsprop, 1e-8), -1e-2 / 1.1, tolerance = 1e-12)
})

test_that("a parameter without a gradient stays, and zero_grad removes gradients", {
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- optim_ignite_adamw(list(x))
  opt$step()
  expect_identical(x$item(), 1)
  (x * 2)$backward()
  opt$zero_grad()
  expect_null(x$grad)
})

test_that("the one-cycle schedule is the recorded one in every bit", {
  rows <- recorded("one_cycle.csv")
  ours <- record_one_cycle()
  expect_identical(ours$lr, rows$lr)
  expect_identical(ours$momentum, rows$momentum)
})
