"""An app as another team might write it. Its folder is copied to where the processes run."""
