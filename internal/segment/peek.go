package segment

// Peek reads the fixed header of a frame that AppendFrame made, finished or not.
// It verifies nothing: it is for the writer's own memory, never for bytes from a
// disk. The frame has no extensions and its Offset is 0.
func Peek(frame []byte) Frame { return decodeFixed(frame, 0) }
