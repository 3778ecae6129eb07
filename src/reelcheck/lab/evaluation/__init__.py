"""How good a trained network is, on samples that it has not seen.

rows      what it said of every sample, gathered from all processes
figures   figures with intervals, and where it was most wrong
slices    the same by class, group, length, ...
against   which of two models is better, and whether that can be told
record    all of it as JSON
pictures  samples as the network saw them
plots     curves and tables as SVG
page      all of it as one HTML file
"""
