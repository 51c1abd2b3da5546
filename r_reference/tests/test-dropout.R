# Doubles against recorded float32 runs of 10 epochs: 1.5e-5 was measured in losses, 1.9e-5 in scores.
FLOAT32_10_EPOCHS <- 4e-5

labs <- function(file) read_table(file.path("../recorded_labs", file))

sets <- waveform_sets()

test_that("the waveforms are mlbench's, 400 rows to train on and 200 to validate with", {
  wave <- with_r_seed(123, mlbench::mlbench.waveform(600))
  expect_identical(rbind(as_array(sets$train$x), as_array(sets$valid$x)), wave$x)
  expect_identical(c(as.integer(sets$train$k), as.integer(sets$valid$k)), as.integer(wave$classes))
  expect_identical(nrow(as_array(sets$train$x)), 400L)
})

test_that("trainings with dropout and without follow the recorded float32 runs", {
  rows <- labs("dropout_runs.csv")
  ours <- record_dropout_runs()
  expect_identical(names(ours), names(rows))
  expect_identical(ours[c("dropout", "epoch")], rows[c("dropout", "epoch")])
  for (column in c("train_loss", "valid_loss")) {
    expect_lt(max(abs(ours[[column]] - rows[[column]])), FLOAT32_10_EPOCHS)
  }
  # A row on the border of two classes may fall to either side: 1 of 400 was measured, once.
  expect_lte(max(abs(ours$train_error - rows$train_error)), 100 / 400)
  expect_lte(max(abs(ours$valid_error - rows$valid_error)), 100 / 200)
})

test_that("mean scores over passes are close to the recorded ones", {
  rows <- labs("mc_dropout.csv")
  ours <- record_mc_dropout()
  expect_identical(names(ours), names(rows))
  keys <- c("passes", "row", "class")
  expect_equal(ours[keys], rows[keys], tolerance = 0)
  expect_lt(max(abs(ours$logit - rows$logit)), FLOAT32_10_EPOCHS)
})

test_that("dropout drops in training only, and a module's mode is that of its modules", {
  network <- nn_dropout_mlp()
  expect_true(network$drop1$training)
  x <- sets$valid$x[1:5, ]
  scores <- function() as_array(network(x))
  expect_false(identical(scores(), scores()))
  network$eval()
  expect_false(network$drop3$training)
  expect_identical(scores(), scores())
  network$train()
  expect_false(identical(scores(), scores()))
  without <- nn_dropout_mlp(dropout = FALSE)
  before <- internal$generator$state
  without(x)
  expect_identical(internal$generator$state, before)
})

test_that("dropout of a matrix draws along its rows, and has the gradient of what it keeps", {
  mask <- function(x) as_array(with_torch_manual_seed(seed = 123, nnf_dropout(x, p = 0.2)))
  recorded_mask <- recorded("torch_random.csv")$dropout_0.2[1:12]
  expect_equal(mask(torch_ones(3, 4)), matrix(recorded_mask, 3, byrow = TRUE), tolerance = 1e-7)
  x <- torch_tensor(matrix(1:12, 3), requires_grad = TRUE)
  dropped <- with_torch_manual_seed(seed = 123, nnf_dropout(x, p = 0.2))
  nnf_l1_loss(dropped, torch_tensor(matrix(0, 3, 4)))$backward()
  expect_equal(as_array(x$grad), mask(torch_ones(3, 4)) / 12, tolerance = 1e-15)
})

test_that("rows of a tensor are those of its matrix, and a followed one's are refused", {
  x <- torch_tensor(matrix(1:12, 4))
  expect_identical(as_array(x[2:3, ]), matrix(as.double(c(2, 3, 6, 7, 10, 11)), 2))
  expect_identical(as_array(torch_tensor(1:4)[3:4]), c(3, 4))
  expect_error(torch_tensor(1:3, requires_grad = TRUE)[1:2], "has no gradient")
})
