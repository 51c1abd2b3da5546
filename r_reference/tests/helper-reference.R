source("../attach.R")
for (file in c(list.files("../R", full.names = TRUE), "../record.R")) source(file)

#' The stand-in's functions that are not attached.
internal <- environment(torch_randn)

recorded_folder <- "../recorded"

recorded <- function(file) read_table(file.path(recorded_folder, file))

#' The largest difference relative to `expected`.
relative <- function(actual, expected) max(abs(actual / expected - 1))
