"""An anchor-free detector after YOLOX (arXiv 2107.08430), written from the paper.

    blocks      convolution, bottleneck, cross-stage-partial, pyramid-pooling and focus blocks
    darknet     the backbone: three maps at strides 8, 16, 32
    pyramid     the path-aggregation neck over these three maps
    head        the decoupled head, and turning its outputs into boxes
    assignment  SimOTA: which grid cells learn which object
    losses      what each output is taught
    network     all of it as one module of kind "boxes"; builders
    weights     loading weight files with the key names of the authors' release
    mosaic      the four-picture augmentation on arrays

Attribute names of modules follow the authors' release so that its state dicts load strictly.
"""
