"""The only writers: every change of a row of ours happens in here.

Money moves in three parts, and no transaction spans the network: claim the row and
write down what is about to be asked (T1), ask (N), write down what came of it (T2).
"""
