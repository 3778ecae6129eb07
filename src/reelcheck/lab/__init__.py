"""The lab: design, train, measure and export networks. The only place with torch.

It hands over files (ONNX and a card), never objects: the rest of reelcheck never imports it.

    recipe     what is trained, on what, how
    networks   by name, with their options
    tasks      generated data with truth by construction
    data       manifests, splits, what a network is shown
    engine     training
    measure    figures with intervals
    export     ONNX, SavedModel, cards
    commands   ``reelcheck lab ...``
"""
