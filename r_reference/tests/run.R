# Tests the stand-in, the exercises on it, and the recording: `Rscript r_reference/tests/run.R`.
options(pycompare.backend = "basetorch")
run <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
testthat::test_dir(dirname(normalizePath(run)), stop_on_failure = TRUE)
