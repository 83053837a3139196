"""Functions of Python as workers: kind ``python``.

``modules`` finds them, ``functions`` says what they take, ``typed`` and ``crossing`` carry values
in and out, ``running`` runs one call of one, ``context`` is what it may ask of its worker.
"""
