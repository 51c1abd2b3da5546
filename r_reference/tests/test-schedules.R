# Doubles against recorded float32 runs of the course network, 10 epochs: 1.1e-6 was measured.
FLOAT32_10_EPOCHS <- 4e-6
# 2e-6 was measured for rates below 1.2, above which rounding is magnified.
FLOAT32_RANGE <- 1e-5

labs <- function(file) read_table(file.path("../recorded_labs", file))

test_that("trainings by SGD follow the recorded float32 runs", {
  rows <- labs("sgd_runs.csv")
  ours <- record_sgd_runs()
  expect_identical(names(ours), names(rows))
  expect_identical(ours[c("run", "epoch")], rows[c("run", "epoch")])
  expect_lt(relative(ours$valid_loss, rows$valid_loss), FLOAT32_10_EPOCHS)
})

test_that("a training under one-cycle has the recorded rates, and follows the recorded losses", {
  ours <- train_one_cycle(seeded_mlp(), scaled_data(), 10)
  rates <- labs("one_cycle_rates.csv")
  expect_identical(ours$rates$lr, rates$lr)
  expect_identical(ours$rates$beta1, rates$beta1)
  expect_lt(relative(ours$curve$valid_loss, labs("one_cycle_run.csv")$valid_loss), FLOAT32_10_EPOCHS)
})

test_that("the range test has the recorded rates, and its losses where they converge", {
  rows <- labs("range_test.csv")
  ours <- record_range_test()
  shared <- seq_len(min(nrow(ours), nrow(rows)))
  expect_identical(ours$lr[shared], rows$lr[shared])
  converging <- which(rows$lr < 1.2)
  expect_lt(relative(ours$loss[converging], rows$loss[converging]), FLOAT32_RANGE)
})
