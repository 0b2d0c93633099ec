// Changes a container's configuration with Go's standard library.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
)

// Update is what a PATCH may carry; a nil variable removes it.
type Update struct {
	Env       map[string]interface{} `json:"env,omitempty"`
	Tags      []string               `json:"tags,omitempty"`
	Resources map[string]interface{} `json:"resources,omitempty"`
	Image     string                 `json:"image,omitempty"`
}

// Container is the part of a container's JSON that is looked at here.
type Container struct {
	Cuid      string            `json:"cuid"`
	Image     string            `json:"image"`
	Env       map[string]string `json:"env"`
	Tags      []string          `json:"tags"`
	Resources struct {
		Cpus   float64 `json:"cpus"`
		Memory string  `json:"memory"`
		Pids   int     `json:"pids"`
	} `json:"resources"`
	Applied string `json:"applied"`
}

func check(name string, truth bool, seen ...interface{}) {
	if truth {
		fmt.Println("ok:", name)
		return
	}
	fmt.Println("FAILED:", name, seen)
	os.Exit(1)
}

// call sends body (nil: none) and reads the answer into result (nil: not at all); it returns status and text.
func call(method, path string, body, result interface{}) (int, string) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		check("the body is encoded", err == nil, err)
		content = bytes.NewBuffer(encoded)
	}
	request, err := http.NewRequest(method, os.Getenv("CM_URL")+path, content)
	check("the request is made", err == nil, err)
	pair := os.Getenv("CM_USER") + ":" + os.Getenv("CM_PASS")
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	check(method+" "+path+" is answered", err == nil, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check("the answer is complete", err == nil, err)
	if result != nil {
		err = json.Unmarshal(text, result)
		check("the answer is JSON of the expected types", err == nil, err, string(text))
	}
	return response.StatusCode, string(text)
}

func main() {
	image := os.Getenv("CM_IMAGE")
	var made Container
	status, text := call("POST", "/containers", map[string]interface{}{
		"image": image,
		"env":   map[string]string{"OLD_VAR": "old", "KEPT": "kept"},
		"tags":  []string{"first"},
		"resources": map[string]interface{}{
			"cpus": 0.5, "memory": "64m", "pids": 50,
		},
	}, &made)
	check("create answers 201", status == 201, text)
	path := "/containers/" + made.Cuid

	status, text = call("PATCH", path, Update{
		Env:       map[string]interface{}{"NEW_VAR": "value", "OLD_VAR": nil},
		Tags:      []string{"updated", "v2"},
		Resources: map[string]interface{}{"memory": "8192m"},
	}, nil)
	check("PATCH answers 200", status == 200, text)

	var now Container
	status, text = call("GET", path, nil, &now)
	check("GET answers 200", status == 200, text)
	check("one variable came, one went, one stayed",
		reflect.DeepEqual(now.Env, map[string]string{"NEW_VAR": "value", "KEPT": "kept"}), text)
	check("tags are replaced", reflect.DeepEqual(now.Tags, []string{"updated", "v2"}), text)
	check("resources are merged",
		now.Resources.Cpus == 0.5 && now.Resources.Memory == "8192m" && now.Resources.Pids == 50, text)
	check("the image stays", now.Image == image, text)

	status, text = call("PATCH", path, map[string]interface{}{"colour": "red"}, nil)
	check("an unknown field is 400", status == 400, text)
	status, text = call("PATCH", "/containers/c123e4567-e89b-12d3-a456-426614174000", Update{Image: image}, nil)
	check("an unknown container is 404", status == 404, text)

	status, text = call("DELETE", path, nil, nil)
	check("DELETE answers 200", status == 200, text)
}
