"""Words and pictures: the command line (`cli`), what it draws (`terminal`), and the report of a run (`report`).

Called by `ecotone.__main__`. Everything here shows values that `ecotone.session` made; nothing here decides.
"""
