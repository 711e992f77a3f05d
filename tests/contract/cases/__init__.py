"""One module for each part of the contract; each public function in it is one case, named by the behaviour.

DIFFERS in a module names the cases that the sandbox answers otherwise, with the reason (docs/sandbox.md tells users the same).
"""
