from .lane import mkl_lane as mkl_lane
