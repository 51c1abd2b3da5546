# Records what R torch computes: `Rscript record.R OUT` writes the tables of r_reference/recorded/ and
# their manifest into the folder OUT. Sourcing this file only defines functions: each `record_*`
# returns one table, and needs the files of R/ and an attached backend (attach.R).

#' A fresh course network with the recorded initial weights.
seeded_mlp <- function(...) with_torch_manual_seed(seed = 123, nn_mlp(...))

#' The elements of a tensor along its rows.
row_major <- function(tensor) as.vector(t(as_array(tensor$detach())))

#' All parameters of `network`, one row an element.
parameter_rows <- function(network, step) {
  rows <- lapply(names(network$parameters), function(name) {
    value <- row_major(network$parameters[[name]])
    data.frame(step = step, parameter = name, index = seq_along(value) - 1, value = value)
  })
  do.call(rbind, rows)
}

#' All parameters of the course network before and after each of the first steps.
record_course_first_steps <- function(steps = 5) {
  network <- seeded_mlp()
  opt <- optim_ignite_adamw(network$parameters, lr = 0.01, weight_decay = 0.01)
  batches <- dataloader_make_iter(dataloader(course_data()$ds_train, batch_size = 16))
  rows <- list(parameter_rows(network, 0))
  for (step in seq_len(steps)) {
    batch <- dataloader_next(batches)
    opt$zero_grad()
    loss <- nnf_mse_loss(network(batch[[1]]), batch[[2]])
    loss$backward()
    opt$step()
    rows[[step + 1]] <- parameter_rows(network, step)
  }
  do.call(rbind, rows)
}

#' The validation losses of the exercise's runs, by the argument that was varied.
record_course_sweeps <- function(epochs = 30) {
  sweeps <- list(
    lr = list(lr = list(1, 0.1, 0.01, 0.001)),
    batch_size = list(batch_size = list(2, 4, 8, 16, 32, 64)),
    weight_decay = list(weight_decay = as.list(1 / 2^(1:5))),
    beta1 = list(beta1 = list(0.5, 0.85, 0.9, 0.95, 0.99, 0.999)),
    beta2 = list(beta2 = list(0.99, 0.999, 0.9999)),
    example_lr_wd0.02 = list(lr = list(0.1, 0.2), weight_decay = 0.02)
  )
  rows <- lapply(names(sweeps), function(sweep) {
    curves <- do.call(compare_configs, c(sweeps[[sweep]], epochs = epochs))$data
    values <- Filter(is.list, sweeps[[sweep]])[[1]]
    data.frame(
      sweep = sweep, value = rep(unlist(values), each = epochs), curves[c("epoch", "valid_loss")]
    )
  })
  do.call(rbind, rows)
}

#' A 20 x 10 tensor filled by each initialiser.
record_inits <- function() {
  inits <- paste0(
    c("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "normal",
      "orthogonal", "trunc_normal"), "_"
  )
  rows <- lapply(inits, function(init) {
    fill <- get(paste0("nn_init_", init))
    value <- row_major(with_torch_manual_seed(seed = 123, fill(torch_empty(20, 10))))
    data.frame(init = init, index = seq_along(value) - 1, value = value)
  })
  do.call(rbind, rows)
}

#' The rate and beta1 in force at each step of a one-cycle schedule.
record_one_cycle <- function(total_steps = 100) {
  opt <- optim_adamw(list(torch_tensor(0, requires_grad = TRUE)), lr = 0.01)
  scheduler <- lr_one_cycle(opt, max_lr = 0.1, total_steps = total_steps)
  rows <- lapply(seq_len(total_steps) - 1, function(step) {
    if (step > 0) scheduler$step()
    group <- opt$param_groups[[1]]
    data.frame(step = step, lr = group$lr, momentum = group$betas[[1]])
  })
  do.call(rbind, rows)
}

#' The course network's validation losses under other optimisers.
record_optimizers <- function(epochs = 10) {
  optimizers <- list(
    sgd = function(p) optim_ignite_sgd(p, lr = 1e-6),
    sgd_momentum = function(p) optim_ignite_sgd(p, lr = 1e-6, momentum = 0.9),
    sgd_nesterov_wd = function(p) {
      optim_ignite_sgd(p, lr = 1e-6, momentum = 0.9, nesterov = TRUE, weight_decay = 0.01)
    },
    adam = function(p) optim_ignite_adam(p, lr = 0.01),
    adam_wd = function(p) optim_ignite_adam(p, lr = 0.01, weight_decay = 0.01),
    adam_amsgrad = function(p) optim_ignite_adam(p, lr = 0.01, amsgrad = TRUE),
    adamw_amsgrad = function(p) {
      optim_ignite_adamw(p, lr = 0.01, weight_decay = 0.01, amsgrad = TRUE)
    },
    rmsprop = function(p) optim_ignite_rmsprop(p, lr = 0.001),
    rmsprop_momentum_centered = function(p) {
      optim_ignite_rmsprop(p, lr = 0.0005, momentum = 0.9, centered = TRUE, weight_decay = 0.01)
    },
    adagrad = function(p) optim_ignite_adagrad(p, lr = 0.01)
  )
  data <- course_data()
  rows <- lapply(names(optimizers), function(name) {
    losses <- optimizer_curve(optimizers[[name]], data, epochs)
    data.frame(optimizer = name, epoch = seq_len(epochs), valid_loss = losses)
  })
  do.call(rbind, rows)
}

#' The course network's validation losses under the optimiser that `optimizer` makes.
optimizer_curve <- function(optimizer, data, epochs) {
  network <- seeded_mlp()
  opt <- optimizer(network$parameters)
  dl_train <- dataloader(data$ds_train, batch_size = 16)
  dl_valid <- dataloader(data$ds_valid, batch_size = 16)
  vapply(seq_len(epochs), function(epoch) {
    train_loop(network, dl_train, opt)
    valid_loop(network, dl_valid)
  }, numeric(1))
}

#' Momentum steps on the Rosenbrock function, in float and in double.
record_rosenbrock <- function(steps = 500) {
  runs <- data.frame(
    dtype = rep(c("float", "double"), each = 5),
    lr = c(0.01, 0.05, 0.1, 0.01, 0.02), beta = c(0.9, 0.9, 0.5, 0, 0.99)
  )
  rows <- lapply(seq_len(nrow(runs)), function(i) {
    run <- rosenbrock_run(runs$dtype[i], runs$lr[i], runs$beta[i], steps)
    data.frame(runs[i, ], run, row.names = NULL)
  })
  do.call(rbind, rows)
}

#' The value of each step and the state after it, from (-1, 2).
rosenbrock_run <- function(dtype, lr, beta, steps) {
  dtype <- if (dtype == "double") torch_double() else torch_float()
  x <- torch_tensor(-1, dtype = dtype, requires_grad = TRUE)
  y <- torch_tensor(2, dtype = dtype, requires_grad = TRUE)
  x_momentum <- torch_tensor(0, dtype = dtype)
  y_momentum <- torch_tensor(0, dtype = dtype)
  rows <- lapply(seq_len(steps), function(step) {
    value <- optim_step(x, y, lr, x_momentum, y_momentum, beta)
    x$grad$zero_()
    y$grad$zero_()
    data.frame(
      step = step, value = value, x = x$item(), y = y$item(),
      x_momentum = x_momentum$item(), y_momentum = y_momentum$item()
    )
  })
  do.call(rbind, rows)
}

#' SGD on the points `toy`, for each loss and setting, without the loss after the last step.
record_sgd_toy <- function(toy, epochs = 100) {
  settings <- list(
    plain = list(),
    momentum = list(momentum = 0.9),
    nesterov = list(momentum = 0.9, nesterov = TRUE),
    weight_decay = list(momentum = 0.9, nesterov = TRUE, weight_decay = 2),
    dampening = list(momentum = 0.9, dampening = 0.8)
  )
  rows <- lapply(c("mse", "l1", "smooth_l1"), function(loss_fn) {
    runs <- lapply(names(settings), function(setting) {
      data <- list(loss = loss_fn, x = toy$x, y = toy$y, lr = 0.1, epochs = epochs)
      run <- do.call(descend, c(data, settings[[setting]]))
      run$loss[epochs + 1] <- NA
      cbind(loss_fn = loss_fn, setting = setting, run)
    })
    do.call(rbind, runs)
  })
  do.call(rbind, rows)
}

#' The map of each loss of lines through the points `toy`. There is no recording of it.
record_loss_map <- function(toy, n = 21) {
  rows <- lapply(c("mse", "l1", "smooth_l1", "huber"), function(loss_fn) {
    map <- loss_map(loss_fn, toy$x, toy$y, n = n)
    cbind(loss_fn = loss_fn, index = seq_len(nrow(map)) - 1, map)
  })
  do.call(rbind, rows)
}

#' Curves of a small network on points of a circle, by initialiser and seed. Its recording is among those
#' of the laboratories.
record_init_runs <- function(...) {
  normal <- function(sigma) function(weight) nn_init_normal_(weight, 0, sigma)
  fills <- list(
    normal_0.01 = normal(0.01), normal_0.5 = normal(0.5), normal_3 = normal(3), normal_10 = normal(10),
    xavier_uniform = nn_init_xavier_uniform_, xavier_normal = nn_init_xavier_normal_,
    kaiming_uniform = function(weight) nn_init_kaiming_uniform_(weight, nonlinearity = "relu"),
    kaiming_normal = function(weight) nn_init_kaiming_normal_(weight, nonlinearity = "relu")
  )
  init_runs(fills, ...)
}

#' Activations of a deep network on points of a circle, by initialiser. Its recording is among those of
#' the laboratories.
record_activations <- function(n = 10000, depth = 20) {
  circle <- with_r_seed(123, mlbench::mlbench.circle(n, d = 2))
  x <- torch_tensor(circle$x, dtype = torch_float())$contiguous()
  fills <- list(
    normal_1 = function(weight) nn_init_normal_(weight, 0, 1),
    xavier_normal = nn_init_xavier_normal_,
    kaiming_normal = function(weight) nn_init_kaiming_normal_(weight, nonlinearity = "relu")
  )
  rows <- lapply(names(fills), function(init) {
    network <- with_torch_manual_seed(
      seed = 123, initialise(relu_layers(c(2, rep(100, depth), 2)), fills[[init]])
    )
    data.frame(init = init, activation_statistics(network, x))
  })
  do.call(rbind, rows)
}

#' Gradients of a small network on xor, by initialiser and optimiser. Its recording is among those of
#' the laboratories.
record_gradient_norms <- function(steps = 1000) {
  x <- torch_tensor(rbind(c(0, 0), c(0, 1), c(1, 0), c(1, 1)), dtype = torch_float())$contiguous()
  y <- torch_tensor(c(0, 1, 1, 0), dtype = torch_float())$unsqueeze(2)
  fills <- list(
    xavier_uniform = nn_init_xavier_uniform_,
    kaiming_uniform = function(weight) nn_init_kaiming_uniform_(weight, nonlinearity = "relu"),
    normal_0.5 = function(weight) nn_init_normal_(weight, 0, 0.5)
  )
  optimizers <- list(
    sgd = function(p) optim_ignite_sgd(p, lr = 0.02),
    momentum = function(p) optim_ignite_sgd(p, lr = 0.02, momentum = 0.9),
    rmsprop = function(p) optim_ignite_rmsprop(p, lr = 0.02),
    adam = function(p) optim_ignite_adam(p, lr = 0.02)
  )
  runs <- expand.grid(optimizer = names(optimizers), init = names(fills), stringsAsFactors = FALSE)
  rows <- lapply(seq_len(nrow(runs)), function(i) {
    run <- runs[i, ]
    network <- with_torch_manual_seed(seed = 123, initialise(
      nn_sequential(nn_linear(2, 4), nn_relu(), nn_linear(4, 1), nn_sigmoid()), fills[[run$init]],
      zero_bias = FALSE
    ))
    opt <- optimizers[[run$optimizer]](network$parameters)
    norms <- gradient_norms(network, opt, x, y, steps)
    data.frame(init = run$init, optimizer = run$optimizer, norms, row.names = NULL)
  })
  do.call(rbind, rows)
}

#' Losses and errors of a training with dropout and of one without, recorded in recorded_labs/.
record_dropout_runs <- function(epochs = 10) {
  sets <- waveform_sets()
  rows <- lapply(c(TRUE, FALSE), function(dropout) {
    curve <- with_torch_manual_seed(
      seed = 123, train_dropout(nn_dropout_mlp(dropout), sets, epochs)
    )
    cbind(dropout = dropout, curve)
  })
  do.call(rbind, rows)
}

#' Mean scores over passes with dropout, drawn after the training, recorded in recorded_labs/.
record_mc_dropout <- function(epochs = 10, passes = c(1, 10, 100)) {
  sets <- waveform_sets()
  with_torch_manual_seed(seed = 123, {
    network <- nn_dropout_mlp()
    train_dropout(network, sets, epochs)
    mc_dropout(network, sets$valid$x, passes)
  })
}

#' The validation losses of the course network under SGD, recorded in recorded_labs/.
record_sgd_runs <- function(epochs = 10) {
  runs <- list(
    plain = list(lr = 0.01),
    momentum = list(lr = 0.01, momentum = 0.9),
    nesterov = list(lr = 0.01, momentum = 0.9, nesterov = TRUE),
    dampening = list(lr = 0.01, momentum = 0.9, dampening = 0.5),
    weight_decay = list(lr = 0.01, momentum = 0.9, weight_decay = 1e-3),
    momentum_0.99 = list(lr = 0.001, momentum = 0.99)
  )
  data <- scaled_data()
  rows <- lapply(names(runs), function(run) {
    network <- seeded_mlp()
    opt <- do.call(optim_ignite_sgd, c(list(network$parameters), runs[[run]]))
    cbind(run = run, train_curve(network, opt, data, epochs))
  })
  do.call(rbind, rows)
}

#' A training under a one-cycle schedule, recorded in recorded_labs/.
record_one_cycle_run <- function(epochs = 10) {
  train_one_cycle(seeded_mlp(), scaled_data(), epochs)$curve
}

#' The rates and beta1 of that training, recorded in recorded_labs/.
record_one_cycle_rates <- function(epochs = 10) {
  train_one_cycle(seeded_mlp(), scaled_data(), epochs)$rates
}

#' A learning-rate range test of the course network, recorded in recorded_labs/.
record_range_test <- function(steps = 100) {
  network <- seeded_mlp()
  opt <- optim_ignite_sgd(network$parameters, lr = 1e-5, momentum = 0.9)
  dl_train <- dataloader(scaled_data()$ds_train, batch_size = 16)
  range_test(network, opt, dl_train, start = 1e-5, ratio = 1e6, steps = steps)
}

#' The spirals, with 1 in `train` for the rows sampled for training.
record_spirals_data <- function() {
  drawn <- draw_spirals()
  train <- as.integer(seq_along(drawn$class) %in% drawn$ids_train)
  data.frame(x1 = drawn$x[, 1], x2 = drawn$x[, 2], class = drawn$class, train = train)
}

#' The validation losses on the spirals, by learning rate.
record_spirals_lr <- function(epochs = 30) {
  data <- spirals_data()
  rows <- lapply(c(0.1, 0.01, 0.001), function(lr) {
    curve <- train_valid(
      seeded_mlp(in_features = 2), data$ds_train, data$ds_valid,
      epochs = epochs, batch_size = 16, lr = lr
    )
    cbind(lr = lr, curve)
  })
  do.call(rbind, rows)
}

#' Dropout masks, normal draws and a permutation, each under the same seed.
record_torch_random <- function() {
  columns <- list(
    dropout_0.5 = with_torch_manual_seed(seed = 123, nnf_dropout(torch_ones(1000), p = 0.5)),
    dropout_0.2 = with_torch_manual_seed(seed = 123, nnf_dropout(torch_ones(1000), p = 0.2)),
    randn = with_torch_manual_seed(seed = 123, torch_randn(1000)),
    randperm = with_torch_manual_seed(seed = 123, torch_randperm(1000))
  )
  data.frame(index = 0:999, lapply(columns, as_array), check.names = FALSE)
}

#' Numbers with the 17 digits that give back a double, text as it is.
format_column <- function(column) {
  if (!is.numeric(column)) return(as.character(column))
  ifelse(is.na(column), "NA", sprintf("%.17g", column))
}

#' Writes a data frame as a recorded table.
write_table <- function(table, path) {
  lines <- do.call(paste, c(lapply(unname(as.list(table)), format_column), sep = ","))
  writeLines(c(paste(names(table), collapse = ","), lines), path)
}

#' Reads a recorded table.
read_table <- function(path) utils::read.csv(path, check.names = FALSE)

#' The functions that return the recorded tables, by file; `toy` holds the points of toy_xy.csv.
writers <- function(toy) {
  list(
    course_first_steps.csv = record_course_first_steps,
    course_sweeps.csv = record_course_sweeps,
    inits.csv = record_inits,
    one_cycle.csv = record_one_cycle,
    optimizers.csv = record_optimizers,
    rosenbrock.csv = record_rosenbrock,
    sgd_toy.csv = function(...) record_sgd_toy(toy, ...),
    spirals_data.csv = record_spirals_data,
    spirals_lr.csv = record_spirals_lr,
    torch_random.csv = record_torch_random
  )
}

sha256 <- function(path) {
  line <- system2("sha256sum", shQuote(path), stdout = TRUE)
  sub(" .*", "", line)
}

#' Writes manifest.json for the tables in `out`. The texts are those of the manifest in `inputs`;
#' versions, row counts and check sums are new.
write_manifest <- function(out, inputs, recorded_with) {
  manifest <- jsonlite::read_json(file.path(inputs, "manifest.json"))
  manifest$recorded_with <- recorded_with
  for (file in names(manifest$files)) {
    path <- file.path(out, file)
    manifest$files[[file]]$sha256 <- sha256(path)
    manifest$files[[file]]$rows <- length(readLines(path)) - 1
  }
  json <- jsonlite::toJSON(manifest, auto_unbox = TRUE, pretty = 2)
  writeLines(trimws(json, which = "right"), file.path(out, "manifest.json"))
}

#' What the recorded bits depend on.
machine <- function() {
  torch <- utils::packageDescription("torch")
  sha <- torch$RemoteSha
  list(
    R = as.character(getRversion()),
    r_torch = paste0(
      torch$Version, if (!is.null(sha)) paste0(" (commit ", substr(sha, 1, 12), ")")
    ),
    libtorch = paste0(
      libtorch_version(), " (CPU kernels", if (backends_mkl_is_available()) ", MKL", ")"
    ),
    mlbench = utils::packageDescription("mlbench")$Version,
    threads = torch_get_num_threads(),
    cpu = cpu_name()
  )
}

#' LibTorch's version, from a file that its archive holds.
libtorch_version <- function() {
  path <- file.path(torch_install_path(), "build-version")
  if (file.exists(path)) sub("[+].*", "", readLines(path, n = 1)) else "unknown version"
}

#' Like "x86-64 with AVX-512 (AMD EPYC)"; outside Linux the architecture alone.
cpu_name <- function(cpuinfo = "/proc/cpuinfo") {
  if (!file.exists(cpuinfo)) return(R.version$arch)
  info <- readLines(cpuinfo)
  field <- function(name) sub("^[^:]*: *", "", grep(paste0("^", name), info, value = TRUE)[1])
  vectors <- if (grepl("avx512f", field("flags"))) "AVX-512" else "AVX2 or less"
  brand <- sub("^(\\S+ \\S+).*", "\\1", field("model name"))
  paste0(sub("_", "-", R.version$arch), " with ", vectors, " (", brand, ")")
}

#' Writes all tables and the manifest into `out`. `inputs` holds toy_xy.csv and a manifest with the
#' texts.
record_all <- function(out, inputs) {
  if (torch_backend() != "torch") {
    stop("The backend must be R torch to record; got basetorch. Install the R package torch.")
  }
  torch_set_num_threads(1)
  dir.create(out, recursive = TRUE, showWarnings = FALSE)
  toy_file <- file.path(inputs, "toy_xy.csv")
  tables <- writers(read_table(toy_file))
  for (file in names(tables)) write_table(tables[[file]](), file.path(out, file))
  writeLines(readLines(toy_file), file.path(out, "toy_xy.csv"))
  write_manifest(out, inputs, machine())
}

#' The command line: one argument, the folder to write.
main <- function() {
  out <- commandArgs(trailingOnly = TRUE)
  if (length(out) != 1) {
    stop("`OUT` must be one folder; got ", length(out), ". Run `Rscript record.R OUT`.")
  }
  file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
  here <- dirname(normalizePath(file))
  source(file.path(here, "attach.R"))
  for (exercise in list.files(file.path(here, "R"), full.names = TRUE)) source(exercise)
  record_all(out, file.path(here, "recorded"))
}

if (sys.nframe() == 0) main()
