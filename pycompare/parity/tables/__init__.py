"""What R torch computes, computed by us: a function for each table of `r_reference/record.R`, in the same rows.

Each stands for the R function `record_<name>`, and returns its columns. `dtype` is float32, as R torch's tensors are;
float64 is what R's stand-in for torch computes.
"""
