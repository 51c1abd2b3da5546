# Enough epochs or steps of each long table to see every key; the others are written in full.
SHORT <- list(course_sweeps.csv = 1, optimizers.csv = 2, spirals_lr.csv = 2)

written <- function(table) {
  path <- tempfile(fileext = ".csv")
  on.exit(unlink(path))
  write_table(table, path)
  readLines(path)
}

#' The columns that hold no result of training and no normal draw.
key_columns <- function(table) {
  results <- c(
    "valid_loss", "loss", "weight", "bias", "x", "y", "x_momentum", "y_momentum", "randn",
    if (is.null(table$sweep)) "value"
  )
  setdiff(names(table), results)
}

test_that("numbers are formatted as recorded: each file comes back in every byte", {
  files <- list.files(recorded_folder, pattern = "\\.csv$")
  expect_length(files, 11)
  for (file in files) {
    expect_identical(written(recorded(file)), readLines(file.path(recorded_folder, file)))
  }
})

test_that("each writer gives the recorded header, keys and number of rows", {
  tables <- writers(recorded("toy_xy.csv"))
  files <- list.files(recorded_folder, pattern = "\\.csv$")
  expect_setequal(c(names(tables), "toy_xy.csv"), files)
  for (file in names(tables)) {
    expected <- recorded(file)
    epochs <- SHORT[[file]]
    if (!is.null(epochs)) expected <- expected[expected$epoch <= epochs, ]
    table <- if (is.null(epochs)) tables[[file]]() else tables[[file]](epochs)
    keys <- key_columns(expected)
    expect_identical(written(table[keys]), written(expected[keys]), label = file)
    expect_identical(written(table)[1], written(expected)[1], label = file)
    number <- "(-?[0-9]+([.][0-9]+)?(e[-+][0-9]+)?|NA)"
    text <- "[a-z][A-Za-z0-9_.]*"
    row <- paste(ifelse(vapply(table, is.numeric, NA), number, text), collapse = ",")
    expect_match(written(table)[-1], paste0("^", row, "$"), label = file)
  }
})

test_that("the spirals are the recorded ones in every byte", {
  expect_identical(
    written(record_spirals_data()), readLines(file.path(recorded_folder, "spirals_data.csv"))
  )
})

test_that("the manifest of the recorded files is the recorded manifest in every byte", {
  out <- tempfile()
  dir.create(out)
  on.exit(unlink(out, recursive = TRUE))
  file.copy(list.files(recorded_folder, pattern = "\\.csv$", full.names = TRUE), out)
  manifest <- file.path(recorded_folder, "manifest.json")
  write_manifest(out, recorded_folder, jsonlite::read_json(manifest)$recorded_with)
  bytes <- function(path) readBin(path, raw(), file.size(path))
  expect_identical(bytes(file.path(out, "manifest.json")), bytes(manifest))
})

test_that("the processor's name is read as it stands in the manifest", {
  cpuinfo <- tempfile()
  on.exit(unlink(cpuinfo))
  lines <- c("model name\t: AMD EPYC 9B14", "flags\t\t: fpu avx2 avx512f", "bugs\t\t: none")
  writeLines(lines, cpuinfo)
  skip_if_not(R.version$arch == "x86_64", "the name starts with the architecture")
  expect_identical(cpu_name(cpuinfo), "x86-64 with AVX-512 (AMD EPYC)")
})

run_record <- function(...) {
  rscript <- file.path(R.home("bin"), "Rscript")
  # A command that fails makes a warning here, besides its status.
  suppressWarnings(system2(rscript, c("../record.R", ...), stdout = TRUE, stderr = TRUE))
}

test_that("record.R refuses the stand-in and writes nothing", {
  skip_if(has_torch(), "R torch is installed")
  out <- tempfile()
  output <- run_record(out)
  expect_identical(attr(output, "status"), 1L)
  expect_match(output, "must be R torch to record; got basetorch", all = FALSE)
  expect_false(file.exists(out))
  expect_match(run_record(), "`OUT` must be one folder; got 0", all = FALSE)
})
