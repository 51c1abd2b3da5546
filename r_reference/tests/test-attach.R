#' What a fresh R in `folder` prints for `code`.
fresh_r <- function(code, folder = getwd()) {
  before <- setwd(folder)
  on.exit(setwd(before))
  code <- paste0("options(pycompare.backend = 'basetorch'); ", code)
  rscript <- file.path(R.home("bin"), "Rscript")
  system2(rscript, c("-e", shQuote(code)), stdout = TRUE, stderr = TRUE)
}

test_that("sourcing attach.R from any folder attaches the stand-in and says so", {
  path <- normalizePath("../attach.R")
  said <- c("Using basetorch in place of R torch: base R, double precision", "basetorch 7")
  use <- "; cat(torch_backend(), torch_tensor(7)$item(), fill = TRUE)"
  expect_identical(fresh_r(paste0("source('../attach.R')", use)), said)
  expect_identical(fresh_r(paste0("source('../attach.R', chdir = TRUE)", use)), said)
  expect_identical(fresh_r(paste0("source('", path, "')", use), folder = tempdir()), said)
})

test_that("sourcing attach.R again changes nothing", {
  torch_manual_seed(1)
  before <- internal$generator$state
  expect_message(source("../attach.R"), "Using basetorch")
  expect_identical(sum(search() == "basetorch"), 1L)
  expect_identical(environment(torch_randn)$generator$state, before)
})

test_that("the stand-in attaches no name that R torch does not export", {
  exported <- c(
    "as_array", "dataloader", "dataloader_make_iter", "dataloader_next", "dataset_subset",
    "lr_one_cycle", "nn_init_constant_", "nn_init_kaiming_normal_", "nn_init_kaiming_uniform_",
    "nn_init_normal_", "nn_init_orthogonal_", "nn_init_trunc_normal_", "nn_init_uniform_",
    "nn_init_xavier_normal_", "nn_init_xavier_uniform_", "nn_init_zeros_", "nn_dropout", "nn_linear",
    "nn_module", "nn_parameter", "nn_relu", "nn_sequential", "nn_sigmoid", "nnf_cross_entropy", "nnf_dropout", "nnf_l1_loss", "nnf_linear", "nnf_mse_loss", "nnf_relu", "nnf_smooth_l1_loss",
    "optim_adamw", "optim_ignite_adagrad", "optim_ignite_adam", "optim_ignite_adamw",
    "optim_ignite_rmsprop", "optim_ignite_sgd", "tensor_dataset", "torch_double", "torch_empty",
    "torch_float", "torch_long", "torch_manual_seed", "torch_ones", "torch_randn", "torch_randperm",
    "torch_tensor", "torch_zeros", "with_no_grad", "with_torch_manual_seed"
  )
  expect_setequal(ls("basetorch"), exported)
})

test_that("a backend that is unknown or not installed is an error that says what to do", {
  expect_error(choose_backend("libtorch"), '"auto", "torch" or "basetorch"; got "libtorch"')
  expect_identical(choose_backend("basetorch"), "basetorch")
  expect_error(attach_torch(), "Start a new R session")
  skip_if(has_torch(), "R torch is installed")
  expect_identical(choose_backend("auto"), "basetorch")
  expect_error(choose_backend("torch"), "install.packages")
})

test_that("a network has the registered parameters, by name and in order", {
  network <- nn_mlp(in_features = 3)
  shapes <- lapply(network$parameters, function(p) p$shape)
  expect_identical(shapes, list(
    lin1.weight = c(50L, 3L), lin1.bias = 50L, lin2.weight = c(50L, 50L), lin2.bias = 50L,
    lin3.weight = c(1L, 50L), lin3.bias = 1L
  ))
})
