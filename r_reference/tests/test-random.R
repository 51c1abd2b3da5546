# Torch's float32 log, sin and cos against doubles: 7.6e-7 at most in the recorded values.
NORMAL_ERROR <- 1e-6

test_that("the generator is MT19937: the C++ standard's value for the default seed", {
  torch_manual_seed(5489)
  expect_identical(internal$draw_uint32(10000)[c(1, 10000)], c(3499211612, 4123659995))
})

test_that("float32 rounds to the nearest, ties to even", {
  numbers <- c(0.1, 1 + 2^-24, 1 + 3 * 2^-24, -0.2038880586624145)
  rounded <- c(0.10000000149011612, 1, 1 + 2^-22, -0.20388805866241455)
  expect_identical(internal$float32(numbers), rounded)
})

test_that("the initial weights are the recorded ones in every element", {
  rows <- recorded("course_first_steps.csv")
  expect_identical(parameter_rows(seeded_mlp(), 0)$value, rows$value[rows$step == 0])
})

test_that("initialisers give the recorded values", {
  rows <- merge(recorded("inits.csv"), record_inits(), by = c("init", "index"))
  expect_identical(nrow(rows), 1400L)
  uniform <- rows$init %in% c("xavier_uniform_", "kaiming_uniform_")
  expect_identical(rows$value.x[uniform], rows$value.y[uniform])
  expect_lt(max(abs(rows$value.x - rows$value.y)), NORMAL_ERROR)
})

test_that("dropout and permutations are the recorded ones, normal draws close to them", {
  rows <- recorded("torch_random.csv")
  ours <- record_torch_random()
  expect_identical(ours$dropout_0.5, as.double(rows$dropout_0.5))
  expect_identical(ours$dropout_0.2, rows$dropout_0.2)
  expect_identical(ours$randperm, as.double(rows$randperm))
  expect_lt(max(abs(ours$randn - rows$randn)), NORMAL_ERROR)
})

test_that("with_torch_manual_seed gives torch's generator back, also after an error", {
  torch_manual_seed(1)
  expected <- internal$draw_uint32(2)
  torch_manual_seed(1)
  first <- internal$draw_uint32(1)
  with_torch_manual_seed(seed = 2, internal$draw_uint32(5))
  expect_error(with_torch_manual_seed(seed = 2, stop("inside")), "inside")
  expect_identical(c(first, internal$draw_uint32(1)), expected)
})

test_that("torch's draws and the data leave R's random numbers alone", {
  set.seed(9, kind = "Wichmann-Hill")
  on.exit(RNGkind("default"))
  expected <- runif(4)
  set.seed(9)
  first <- runif(2)
  internal$draw_uint32(1000)
  course_data()
  expect_identical(c(first, runif(2)), expected)
  rm(".Random.seed", envir = globalenv())
  internal$draw_uint32(1)
  course_data()
  expect_false(exists(".Random.seed", envir = globalenv()))
})
