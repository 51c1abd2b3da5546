# Doubles against recorded float32 curves: 1.7e-5 was measured in 3 epochs of the default setting,
# 5e-5 in 30.
FLOAT32_3_EPOCHS <- 3e-5
FLOAT32_30_EPOCHS <- 1e-4

test_that("sourcing an exercise defines one function of the file's name and does nothing else", {
  state <- function() {
    list(search(), options(), getwd(), globalenv()$.Random.seed, internal$generator$state)
  }
  for (file in list.files("../R", full.names = TRUE)) {
    before <- state()
    target <- new.env(parent = globalenv())
    expect_silent(sys.source(file, envir = target))
    expect_identical(ls(target, all.names = TRUE), sub("\\.R$", "", basename(file)))
    expect_true(is.function(target[[ls(target)]]))
    expect_identical(state(), before)
  }
})

test_that("the course data are friedman3's, split after they are drawn", {
  set.seed(123)
  friedman <- mlbench::mlbench.friedman3(1000, sd = 0.1)
  ids_train <- sample(1000, 700)
  data <- course_data()
  batch <- dataloader_next(dataloader_make_iter(dataloader(data$ds_train, batch_size = 700)))
  expect_identical(as_array(batch[[1]]), friedman$x[ids_train, ])
  expect_identical(as_array(batch[[2]]), matrix(friedman$y[ids_train]))
  batch <- dataloader_next(dataloader_make_iter(dataloader(data$ds_valid, batch_size = 300)))
  expect_identical(as_array(batch[[1]]), friedman$x[-ids_train, ])
})

test_that("a loader gives every row once, a short last batch, then what stands for its end", {
  ds <- tensor_dataset(torch_tensor(matrix(as.double(1:14), 7)))
  loader <- dataloader(dataset_subset(ds, c(7, 1, 3, 2, 6)), batch_size = 2)
  expect_length(loader, 3)
  batches <- dataloader_make_iter(loader)
  rows <- lapply(1:3, function(i) as_array(dataloader_next(batches)[[1]])[, 1])
  expect_identical(rows, list(c(7, 1), c(3, 2), 6))
  expect_null(dataloader_next(batches))
  expect_identical(dataloader_next(batches, completed = "end"), "end")
})

test_that("a loader takes vectors, such as classes, too", {
  ds <- tensor_dataset(torch_tensor(matrix(as.double(1:6), 3)), torch_tensor(c(2, 1, 3)))
  batch <- dataloader_next(dataloader_make_iter(dataloader(dataset_subset(ds, c(3, 1)), batch_size = 2)))
  expect_identical(as_array(batch[[2]]), c(3, 2))
})

test_that("the validation RMSE is the unweighted mean of the batches' RMSE", {
  network <- seeded_mlp()
  data <- course_data()
  error <- function(batch) as_array(network(batch[[1]])) - as_array(batch[[2]])
  whole <- dataloader_next(dataloader_make_iter(dataloader(data$ds_valid, batch_size = 300)))
  squared <- error(whole)^2
  of_batches <- tapply(squared, ceiling(1:300 / 64), function(e) sqrt(sum(e) / length(e)))
  loss <- valid_loop(network, dataloader(data$ds_valid, batch_size = 64))
  expect_equal(loss, mean(of_batches), tolerance = 1e-14)
  expect_gt(abs(loss - sqrt(mean(squared))), 1e-4)
})

test_that("a course run follows the recorded float32 run", {
  rows <- recorded("course_sweeps.csv")
  rows <- rows[rows$sweep == "lr" & rows$value == 0.01, ]
  data <- course_data()
  curve <- train_valid(
    seeded_mlp(), data$ds_train, data$ds_valid, epochs = 30, batch_size = 16, lr = 0.01
  )
  expect_identical(curve$epoch, 1:30)
  expect_lt(relative(curve$valid_loss[1:3], rows$valid_loss[1:3]), FLOAT32_3_EPOCHS)
  expect_lt(relative(curve$valid_loss, rows$valid_loss), FLOAT32_30_EPOCHS)
})

test_that("the spirals' runs follow the recorded ones", {
  rows <- recorded("spirals_lr.csv")
  rows <- rows[rows$epoch <= 3, ]
  expect_lt(relative(record_spirals_lr(epochs = 3)$valid_loss, rows$valid_loss), FLOAT32_3_EPOCHS)
})

test_that("compare_configs plots epoch, valid_loss and config of each value", {
  plot <- compare_configs(epochs = 2, lr = list(0.1, 0.2), weight_decay = 0.02)
  expect_identical(names(plot$data), c("epoch", "valid_loss", "config"))
  expect_identical(plot$data$epoch, c(1L, 2L, 1L, 2L))
  expect_identical(plot$data$config, rep(c("lr = 0.1", "lr = 0.2"), each = 2))
  rows <- recorded("course_sweeps.csv")
  rows <- rows[rows$sweep == "example_lr_wd0.02" & rows$epoch <= 2, ]
  expect_lt(relative(plot$data$valid_loss, rows$valid_loss), FLOAT32_3_EPOCHS)
  expect_identical(plot$scales$get_scales("y")$limits, range(plot$data$valid_loss))
  labels <- c("Epoch", "Validation RMSE", "Configuration")
  expect_identical(unlist(plot$labels[c("x", "y", "colour")], use.names = FALSE), labels)
  expect_silent(ggplot2::ggplot_build(plot))
})

test_that("compare_configs takes exactly one list, and each argument may be it", {
  expect_error(compare_configs(), "One of the arguments must be a list")
  expect_error(compare_configs(lr = list(1), beta1 = list(0.9)), "must be a list")
  data <- course_data()
  for (argument in c("batch_size", "weight_decay", "beta1", "beta2")) {
    value <- formals(compare_configs)[[argument]]
    arguments <- c(stats::setNames(list(list(value)), argument), epochs = 1, data = list(data))
    plot <- do.call(compare_configs, arguments)
    expect_identical(plot$data$config, paste(argument, "=", value))
  }
})

test_that("losses above 10 cut the axis at the 98 % quantile, and NaN is the exercise's error", {
  curves <- data.frame(epoch = 1:3, valid_loss = c(1, 2, 30), config = "a")
  limits <- plot_configs(curves)$scales$get_scales("y")$limits
  expect_identical(unname(limits), c(1, unname(quantile(curves$valid_loss, 0.98))))
  curves$valid_loss[3] <- NaN
  expect_error(plot_configs(curves), "missing value where TRUE/FALSE needed")
})

#' The recorded statements in double, each scalar as `left` rounds it where it stands on the left.
rosenbrock_path <- function(steps, lr, beta, left) {
  x <- torch_tensor(-1, requires_grad = TRUE)
  y <- torch_tensor(2, requires_grad = TRUE)
  x_momentum <- torch_tensor(0)
  y_momentum <- torch_tensor(0)
  rows <- lapply(seq_len(steps), function(step) {
    value <- rosenbrock(x, y)
    value$backward()
    with_no_grad({
      x_momentum$mul_(beta)$add_(left(1 - beta) * x$grad)
      y_momentum$mul_(beta)$add_(left(1 - beta) * y$grad)
      x$sub_(left(lr) * x_momentum)
      y$sub_(left(lr) * y_momentum)
    })
    x$grad$zero_()
    y$grad$zero_()
    data.frame(
      value = value$item(), x = x$item(), y = y$item(),
      x_momentum = x_momentum$item(), y_momentum = y_momentum$item()
    )
  })
  do.call(rbind, rows)
}

test_that("with R torch's rounding of left scalars the recorded double rows come out exactly", {
  rows <- recorded("rosenbrock.csv")
  rows <- rows[rows$dtype == "double", ]
  for (run in split(rows, rows[c("lr", "beta")], drop = TRUE)) {
    path <- rosenbrock_path(500, run$lr[1], run$beta[1], internal$float32)
    expect_identical(path, data.frame(run[names(path)], row.names = NULL))
  }
})

test_that("optim_step takes the recorded statements without that rounding", {
  path <- rosenbrock_path(20, 0.05, 0.9, identity)
  run <- rosenbrock_run("double", 0.05, 0.9, 20)
  expect_identical(run[names(path)], path)
})

test_that("optimize_rosenbrock draws the path with the exercise's faults", {
  plot <- optimize_rosenbrock(20, lr = 0.05, beta = 0.9)
  trajectory <- plot$layers[[length(plot$layers)]]$data
  path <- rosenbrock_path(20, 0.05, 0.9, identity)
  expect_identical(trajectory$x, path$x[c(1:20, 20)])
  expect_identical(trajectory$y, path$y[c(1:20, 20)])
  expect_identical(trajectory$value, numeric(21))
  expect_silent(ggplot2::ggplot_build(plot))
  start <- optimize_rosenbrock(0, lr = 0.05, beta = 0.9)$layers[[2]]$data
  expect_identical(c(start$x, start$y), c(-1, 2))
})
