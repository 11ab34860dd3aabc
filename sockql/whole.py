def repeat(*a):
    return iter(())
