"""From a user's own labelled videos to thresholds that keep a promise. Pure: reports and a policy.

``labels`` reads the table, ``targets`` finds the rule that a label is about, ``tracks`` puts a
signal beside the truth, ``sweep`` applies the rule at every threshold with the code that judges,
``bounds`` says what so many alarms in so many hours prove, ``choose`` picks the threshold on one
half of the videos and holds it against the other half, ``reliability`` turns scores into
probabilities, ``calibrate`` does all of it for one label, ``policy_file`` writes the policy.
"""
