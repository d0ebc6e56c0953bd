"""A recorder made of SCSI commands: what real burn programs can be tried with where no hardware is.

It answers the commands of MMC as a drive does, over a model of each kind of medium. Programs reach it through a shim
that turns SG_IO on a device file into messages on a socket (`server`, `shim`); the drive itself knows of neither, so
that another front end can stand before it.
"""
