"""Nothing is annotated."""  # ! no-component


def camera() -> bytes:
    return b""
