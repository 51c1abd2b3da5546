# Sourcing this file attaches torch where R torch is installed, else its stand-in from basetorch/,
# and says which. options(pycompare.backend = "torch") or "basetorch" asks for one of the two.

#' Which of the two is attached: "torch" or "basetorch".
torch_backend <- function() {
  if ("basetorch" %in% search()) "basetorch" else "torch"
}

#' The folder of the file that source() is reading.
sourced_folder <- function() {
  files <- unlist(lapply(sys.frames(), function(frame) frame$ofile))
  file <- files[length(files)]
  # source(chdir = TRUE) has already moved into the file's folder.
  dirname(normalizePath(if (file.exists(file)) file else basename(file)))
}

#' Whether R torch and its libraries are installed. Only a child loads torch to ask it: in this process
#' its S3 methods would take the place of the stand-in's.
has_torch <- function() {
  if (!nzchar(system.file(package = "torch"))) return(FALSE)
  code <- paste0(
    ".libPaths(", deparse1(.libPaths()), "); ",
    # Neither download the libraries, as torch does in a notebook, nor load them.
    "Sys.setenv(TORCH_INSTALL = 0, TORCH_LOAD = 0); ",
    "quit(status = if (torch::torch_is_installed()) 0 else 1)"
  )
  rscript <- file.path(R.home("bin"), "Rscript")
  system2(rscript, c("--vanilla", "-e", shQuote(code)), stdout = FALSE, stderr = FALSE) == 0
}

#' The backend to attach for `asked`, one of "auto", "torch" and "basetorch".
choose_backend <- function(asked) {
  if (!asked %in% c("auto", "torch", "basetorch")) {
    stop(
      '`pycompare.backend` must be "auto", "torch" or "basetorch"; got "', asked, '". ',
      "Set it with options()."
    )
  }
  if (asked == "torch" && !has_torch()) {
    stop(
      '`pycompare.backend` must be "auto" or "basetorch" without R torch; got "torch". ',
      'Install it with install.packages("torch") and torch::install_torch().'
    )
  }
  if (asked == "auto") (if (has_torch()) "torch" else "basetorch") else asked
}

#' Attaches what the stand-in in `folder` offers, its internals left out.
attach_basetorch <- function(folder) {
  if (isNamespaceLoaded("torch")) {
    stop("basetorch must be attached before R torch is loaded. Start a new R session.")
  }
  internal <- new.env(parent = baseenv())
  for (file in list.files(folder, pattern = "\\.R$", full.names = TRUE)) {
    sys.source(file, envir = internal)
  }
  register_methods(internal)
  offered <- "^((torch|nn|nnf|optim|lr|with|dataset)_.*|as_array|tensor_dataset|dataloader.*)$"
  attach(mget(grep(offered, ls(internal), value = TRUE), envir = internal), name = "basetorch")
}

#' Registers the stand-in's S3 methods: since R 4.1 dispatch does not look along the search path.
register_methods <- function(internal) {
  pattern <- "^(.+)\\.(torch_tensor|nn_module|nn_Module|dataset|dataloader)$"
  for (name in grep(pattern, ls(internal), value = TRUE)) {
    registerS3method(
      sub(pattern, "\\1", name), sub(pattern, "\\2", name), internal[[name]],
      envir = internal
    )
  }
}

#' Attaches R torch.
attach_torch <- function() {
  if (torch_backend() == "basetorch") {
    stop("R torch must be attached before basetorch is. Start a new R session.")
  }
  library("torch", character.only = TRUE)
}

if (choose_backend(getOption("pycompare.backend", "auto")) == "torch") {
  attach_torch()
  message("Using R torch ", utils::packageVersion("torch"))
} else {
  # What is attached stays: a second copy would begin with another state of the generator.
  if (torch_backend() != "basetorch") attach_basetorch(file.path(sourced_folder(), "basetorch"))
  message("Using basetorch in place of R torch: base R, double precision")
}
