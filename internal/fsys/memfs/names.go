package memfs

import (
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// create makes a file and gives it its name.
func (m *Mem) create(name string) (*node, error) {
	dir, base, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	if dir.cached.get(base) != nil {
		return nil, pathError("create", name, fs.ErrExist)
	}
	n := m.newNode(false)
	m.change(change{kind: changeLink, to: spot{dir, base}, node: n})
	return n, nil
}

func (m *Mem) rename(oldName, newName string) error {
	from, oldBase, err := m.parent("rename", oldName)
	if err != nil {
		return err
	}
	to, newBase, err := m.parent("rename", newName)
	if err != nil {
		return err
	}
	n, replaced := from.cached.get(oldBase), to.cached.get(newBase)
	switch {
	case n == nil:
		return pathError("rename", oldName, fs.ErrNotExist)
	case replaced == n:
		return nil
	case replaced != nil && (replaced.dir || n.dir):
		return pathError("rename", newName, fs.ErrExist)
	}
	m.change(change{kind: changeRename, from: spot{from, oldBase}, to: spot{to, newBase}, node: n})
	m.release(replaced)
	return nil
}

func (m *Mem) remove(name string) error {
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.cached.get(base)
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if n.dir && len(n.cached) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.change(change{kind: changeUnlink, to: spot{dir, base}, node: n})
	m.release(n)
	return nil
}

func (m *Mem) mkdir(name string) error {
	dir, base, err := m.parent("mkdir", name)
	if err != nil {
		return err
	}
	if n := dir.cached.get(base); n != nil {
		if n.dir {
			return nil
		}
		return pathError("mkdir", name, fs.ErrExist)
	}
	m.change(change{kind: changeLink, to: spot{dir, base}, node: m.newNode(true)})
	return nil
}

// directory finds a directory readers see.
func (m *Mem) directory(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, pathError(op, name, fs.ErrInvalid)
	}
	n := m.root
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if n = n.cached.get(part); n == nil || !n.dir {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
	}
	return n, nil
}

// parent finds the directory name is in, and its last element.
func (m *Mem) parent(op, name string) (*node, string, error) {
	if name == "." || !fs.ValidPath(name) {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	dir, base := path.Split(name)
	n, err := m.directory(op, path.Clean("./"+dir))
	return n, base, err
}

// file finds a file readers see.
func (m *Mem) file(name string) (*node, error) {
	dir, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.cached.get(base)
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	if n.dir {
		return nil, pathError("open", name, fs.ErrInvalid)
	}
	return n, nil
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
