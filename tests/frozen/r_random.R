# Writes r_random.csv, the frozen vectors of test_rng.py and test_mlbench.py:
#   Rscript tests/frozen/r_random.R > tests/frozen/r_random.csv
# For each seed one stream runs through all calls, so every call starts where the one before ended.
suppressPackageStartupMessages(library(mlbench))
seeds <- c(
  0, 1, -1, 2, 7, 42, 123, 1000, 2024, -2024, 65535, 65536, 99999, 123456789, -123456789,
  1e9, 2^30, 2147483646, 2147483647, -2147483647
)
calls <- expression(
  runif(5), rnorm(5), sample(10), runif(3, -2, 5), sample(100, 6, TRUE), rnorm(40, 3, 2), sample(70000, 3),
  sample(c(11, 13, 17), 2), sample(2e7, 4), sample(3e9, 3, TRUE), sample(1), rnorm(3),
  unlist(mlbench.friedman1(3)), unlist(mlbench.friedman2(3)), unlist(mlbench.friedman3(3)),
  unlist(mlbench.friedman3(2, 0)), unlist(mlbench.spirals(5, 1.5, 0.05)), unlist(mlbench.spirals(4))
)
cat("seed,call,index,value\n")
for (seed in seeds) {
  set.seed(seed)
  for (call in calls) {
    values <- as.numeric(eval(call))
    name <- gsub(" ", "", paste(deparse(call), collapse = ""))
    cat(sprintf("%.0f,\"%s\",%d,%.17g\n", seed, name, seq_along(values) - 1L, values), sep = "")
  }
}
