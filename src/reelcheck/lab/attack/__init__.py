"""How cheaply a network is fooled, measured.

    victims    a network as a function of pixels, with what counts as harm
    gradient   attacks that see the weights: FGSM, PGD, MI-FGSM, one perturbation for all
    blackbox   attacks that see answers only: square attack, noise
    battery    all of them at several budgets, and the worst of all for every sample
    masking    whether the figures can be believed
    certified  radii that no attack can beat (randomised smoothing)
    shipped    models of the catalogue and of bundles, which are ONNX
    onnx_ops   what those need to have gradients
    report     JSON and HTML

Own code instead of a library, looked up in November 2026: torchattacks 3.5.1 (MIT) has had no
release since October 2023, foolbox 3.3.4 (MIT) none since March 2024; the Adversarial Robustness
Toolbox 1.20.1 (MIT, July 2025) is alive and would bring scikit-learn and wrappers of four
frameworks for the 200 lines that attacks are here. Budgets in levels, worst case per sample,
intervals over groups and the checks for masking would be ours in any case.
"""
